"""`syncer verify`: what a manifest says against what really lies there."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere, Output
from syncer.model.errors import Exit, SyncerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncer.cli.context import Session
    from syncer.cli.places import Place
    from syncer.cli.tables import Row
    from syncer.flow.verify import Finding

_COLUMNS = ("job", "sink", "finding", "container", "path", "detail")


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
    from syncer.cli.context import opened
    from syncer.cli.messages import explain
    from syncer.cli.places import places
    from syncer.cli.tables import show
    from syncer.flow.verify import verify as findings
    from syncer.model.report import worst

    codes: list[Exit] = []
    rows: list[Row] = []
    async with opened(here, readonly=True) as session:
        asked = _configured(session, jobs) if source else []
        for place in await places(session, jobs):
            try:
                found = [_row(place, each) async for each in findings(place.sink, place.job, deep=deep)]
            except SyncerError as error:
                explain(error)
                codes.append(error.exit_code)
                continue
            rows += found
            codes.append(_tell(place, found, quiet=here.quiet))
        codes += await _sources(session, asked)
    show(rows, output, _COLUMNS)
    return worst(codes)


def _row(place: "Place", finding: "Finding") -> "Row":
    return {
        "job": place.job, "sink": place.sink.name, "finding": finding.kind, "container": finding.container,
        "path": finding.path, "key": None if finding.key is None else finding.key.canonical(),
        "detail": finding.detail,
    }  # fmt: skip


def _tell(place: "Place", found: "Sequence[Row]", *, quiet: bool) -> Exit:
    """Say the verdict on one destination. Files that no row names may be somebody else's: they are no damage."""
    from syncer.cli.messages import say

    bad = sum(row["finding"] != "extra" for row in found)
    extra = len(found) - bad
    more = f", {extra:,} files that no row names" if extra else ""
    if bad or not quiet:
        say(f"{place.job}: {place.url}: {f'{bad:,} missing or damaged' if bad else 'as recorded'}{more}")
    if bad:
        say(f"hint: syncer repair {place.job}")
    return Exit.DAMAGE if bad else Exit.DONE


def _configured(session: "Session", words: "Sequence[str]") -> list[str]:
    """Return the jobs whose platforms are to be asked.

    Raises:
        UsageError: a word is a destination of `export`, whose platform is not known here.
    """
    from syncer.cli.exits import UsageError

    for word in words:
        if "/" in word or word.endswith(".zip"):
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
