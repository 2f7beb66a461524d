"""`syncer verify`: what a manifest says against what really lies there."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output
from syncer.model.containers import ending_of
from syncer.model.errors import Exit, SyncerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncer.cli.context import Session
    from syncer.cli.places import Place
    from syncer.cli.tables import Printer, Row
    from syncer.flow.verify import Finding

_COLUMNS = ("finding", "job", "sink", "container", "path", "detail")
#: Files in a table that no row names.
_FEW = 20
#: Findings printed at once.
_BATCH = 500


async def verify(
    *jobs: Annotated[
        str, Parameter(name="JOB", help="Jobs, or destinations of export (out.zip, dir/); all jobs if none is named.")
    ],
    deep: Annotated[bool, Parameter(help="Read every byte and compare its sha256.")] = False,
    source: Annotated[
        bool, Parameter(help="Also list the platform completely, and say what is not as it is there now.")
    ] = False,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Compare destinations with their manifests. Nothing is changed.

    Missing or damaged items end with exit code 4; `syncer repair` fetches
    them again. With --source, a destination that is not in step with the
    platform ends with 3.
    """
    from syncer.cli.messages import explain, say
    from syncer.cli.places import opened_places
    from syncer.cli.tables import Printer
    from syncer.model.report import worst

    codes: list[Exit] = []
    printer = Printer(output, () if output != "table" else _COLUMNS)
    async with opened_places(here, jobs) as (session, found):
        asked = _configured(session, jobs) if source else []
        for place in found:
            try:
                codes.append(await _compare(place, printer, deep=deep, quiet=here.quiet, whole=output != "table"))
                if codes[-1] is Exit.DAMAGE:
                    say(f"hint: {_cure(session, place)}")
            except SyncerError as error:
                explain(error)
                codes.append(error.exit_code)
        codes += await _sources(session, asked)
    printer.end()
    return worst(codes)


async def _compare(place: "Place", printer: "Printer", *, deep: bool, quiet: bool, whole: bool) -> Exit:
    """Print what is wrong with one destination, and say the verdict.

    Files that no row names may be somebody else's: they are no damage, and of many only a few stand in a table.
    """
    from syncer.cli.messages import say
    from syncer.flow.verify import verify as findings

    bad = extra = 0
    waiting: list[Row] = []
    async for finding in findings(place.sink, place.job, deep=deep):
        stray = finding.kind == "extra"
        bad, extra = bad + (not stray), extra + stray
        if whole or not stray or extra <= _FEW:
            waiting.append(_row(place, finding))
        if len(waiting) >= _BATCH:
            printer.add(waiting)
            waiting = []
    printer.add(waiting)
    more = f", {extra:,} files that no row names" if extra else ""
    if bad or not quiet:
        say(f"{place.job}: {place.url}: {f'{bad:,} missing or damaged' if bad else 'as recorded'}{more}")
    return Exit.DAMAGE if bad else Exit.DONE


def _cure(session: "Session", place: "Place") -> str:
    """Return what fetches again what is wrong; of an export, nothing here knows the platform."""
    if place.job in session.syncer.settings.jobs:
        return f"syncer repair {place.job}"
    return "export once more as before, with --refetch"


def _row(place: "Place", finding: "Finding") -> "Row":
    return {
        "job": place.job, "sink": place.sink.name, "finding": finding.kind, "container": finding.container,
        "path": finding.path, "key": None if finding.key is None else finding.key.canonical(),
        "detail": finding.detail,
    }  # fmt: skip


def _configured(session: "Session", words: "Sequence[str]") -> list[str]:
    """Return the jobs whose platforms are to be asked.

    Raises:
        UsageError: a word is a destination of `export`, whose platform is not known here.
    """
    from syncer.cli.exits import UsageError

    for word in words:
        if "/" in word or ending_of(word) is not None:
            raise UsageError(
                f"--source: {word} is no job of the configuration",
                hint="what an export is behind of says: syncer export … --full --dry-run",
            )
    return session.jobs(words)


async def _sources(session: "Session", jobs: "Sequence[str]") -> list[Exit]:
    """Compare what is stored with a complete listing of the platform: the preview of a full pass."""
    from syncer.cli.messages import say, warn
    from syncer.flow.job import RunOptions

    codes: list[Exit] = []
    for name in jobs:
        preview = await session.syncer.plan(name, RunOptions(relist=True))
        for problem in preview.problems:
            warn(problem)
            codes.append(Exit.NOT_NOW)
        for leg, found in preview.legs.items():
            behind = {"new": found.new, "changed": found.changed, "gone": found.gone, "withdrawn": found.withdrawn}
            words = ", ".join(f"{count:,} {what}" for what, count in behind.items() if count)
            say(f"{name}: sink {leg}: {words or 'in step'} with the platform, {preview.listed:,} listed")
            if words:
                codes.append(Exit.OWING)
    return codes
