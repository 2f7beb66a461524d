"""`syncer repair`: fetch again what is missing or damaged, or salvage an archive that lost its records."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from syncer.cli.exits import UsageError
from syncer.cli.options import EVERYWHERE, Everywhere, Output
from syncer.flow.job import RunOptions

if TYPE_CHECKING:
    from syncer.cli.context import Session
    from syncer.model.report import Report


async def repair(
    job: Annotated[str | None, Parameter(help="The job whose destinations are repaired.")] = None,
    /,
    *,
    salvage: Annotated[
        Path | None, Parameter(metavar="FILE", help="Make a valid archive of what this file still holds, alone.")
    ] = None,
    to: Annotated[Path | None, Parameter(metavar="OUT", help="Where the salvaged archive goes: out.zip.")] = None,
    remove_extra: Annotated[
        bool, Parameter(help="Also remove objects that no row names; in a bucket only those that a pass wrote.")
    ] = False,
    yes: Annotated[bool, Parameter(help="Do it without asking.")] = False,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Fetch again what is missing or damaged, or salvage a broken archive.

    Of a job every byte is read first. With --salvage FILE --to OUT nothing
    else is needed, neither the state nor the platform. A pass that was
    killed may leave an object whose item is deleted before the next one:
    --remove-extra removes it.
    """
    if (salvage is None) == (job is None):
        raise UsageError("repair what?", hint="name a job, or an archive: --salvage FILE --to OUT")
    if salvage is not None:
        if to is None:
            raise UsageError("--salvage needs --to OUT, the archive to write")
        return await _salvage(salvage, to)
    if to is not None:
        raise UsageError("--to goes with --salvage")
    from syncer.cli.confirm import confirmed
    from syncer.cli.context import opened
    from syncer.cli.passes import Pass

    async with opened(here, progress=True) as session:
        names = session.jobs([job or ""])
        if remove_extra:
            await confirmed(f"Objects of job {names[0]} that no row names are removed for good.", yes=yes)
        return await Pass(session, work=partial(_repaired, session, remove_extra)).run(names, output)


async def _repaired(session: "Session", removes: bool, job: str, _: RunOptions) -> "Report":  # noqa: FBT001  # bound by `partial`
    from syncer.app.care import remove_extra, repair_job
    from syncer.flow.verify import is_stray

    found, report = await repair_job(session.syncer, job)
    bad = sum(each.finding.kind != "extra" for each in found)
    session.tell(f"{job}: {bad:,} items were missing or damaged")
    extra = sum(is_stray(each.finding) for each in found)
    if removes and extra:
        session.tell(f"{job}: {await remove_extra(session.syncer, job, found):,} of {extra:,} objects were removed")
    return report


async def _salvage(file: Path, out: Path) -> int:
    import anyio.to_thread

    from syncer.cli.messages import say
    from syncer.sinks.zip64.walk import salvage

    if await anyio.Path(out).exists():
        raise UsageError(f"{out} is there already", hint="name another with --to")
    try:
        done = await anyio.to_thread.run_sync(salvage, file, out)
    except OSError as error:
        raise UsageError(f"{error.filename or file}: {error.strerror}") from error
    say(f"{out}: {done.entries:,} entries, {done.superseded:,} older versions left out")
    if done.damaged or done.skipped or not done.complete:
        end = "to its end" if done.complete else f"to byte {done.stopped:,}"
        say(f"{done.damaged:,} entries are damaged, {done.skipped:,} bytes belong to none; {file} was read {end}")
    return 0
