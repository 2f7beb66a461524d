"""`syncer export`: a project into an archive, a folder or a bucket, in one line and without a file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from cyclopts import Parameter

from syncer.cli.exits import UsageError
from syncer.cli.options import EVERYWHERE, PASS, Everywhere, Moment, Output, PassFlags


async def export(
    platform: Annotated[str, Parameter(help="A platform of the configuration, or a type such as label_studio.")],
    /,
    *,
    to: Annotated[
        str,
        Parameter(metavar="URL", help="Where to: out.zip, dir/ (a file an item), or the same as s3://, gs://, az://."),
    ],
    project: Annotated[
        tuple[str, ...],
        Parameter(metavar="PROJECT", help="Id or title of a project, or a glob such as '*'. May be repeated."),
    ] = (),
    batch: Annotated[
        tuple[str, ...], Parameter(metavar="BATCH", help="Only this batch; '*' is each on its own. May be repeated.")
    ] = (),
    annotation_type: Annotated[
        tuple[str, ...], Parameter(metavar="TYPE", help="Only this annotation type. May be repeated.")
    ] = (),
    item: Annotated[tuple[str, ...], Parameter(metavar="ID", help="Only this item. May be repeated.")] = (),
    ids_from: Annotated[
        Path | None,
        Parameter(metavar="FILE", allow_leading_hyphen=True, help="Only items in this file, an id a line; - is input."),
    ] = None,
    since: Annotated[Moment | None, Parameter(metavar="TIME", help="Only what was finished at or after this.")] = None,
    until: Annotated[Moment | None, Parameter(metavar="TIME", help="Only what was finished before this.")] = None,
    flags: PassFlags = PASS,
    output: Output = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Export a project, without a configuration file.

    Options of the platform go by --set url=… --set token=env:NAME,
    those of the destination by --set sink.on_delete=delete.

    The same line again brings the destination up to date: only what
    changed is fetched.
    """
    from syncer.cli.adhoc import destination, dotted
    from syncer.cli.context import advice_for, explained, named_platform, opened
    from syncer.cli.passes import Pass
    from syncer.cli.ping import pinged
    from syncer.cli.previews import preview_jobs

    items = [*item, *(await anyio.to_thread.run_sync(_ids, ids_from) if ids_from else ())]
    if ids_from is not None and not items:
        raise UsageError(f"--ids-from {ids_from}: no ids in it")
    registry, choice = await named_platform(here, platform)
    if not project and not items:
        raise UsageError(
            "export what? --project is missing", hint=f"syncer projects {platform} lists them; --project '*' is all"
        )
    target = await anyio.to_thread.run_sync(destination, to, await anyio.to_thread.run_sync(Path.cwd))
    select: dict[str, Any] = {
        "projects": list(project), "batches": list(batch), "annotation_types": list(annotation_type), "items": items,
        "since": since, "until": until,
    }  # fmt: skip
    job = {"platform": choice.name, "select": select, "sinks": [target.job]}
    add = {**choice.entries(), "sinks": {target.job: dict(target.sink)}, "jobs": {target.job: job}}
    sets = dotted(here.sets, choice.name, target.job)
    advice = advice_for(registry, choice, sets)
    dry = flags.dry_run
    with explained(advice):
        async with (
            pinged(None if dry else flags.ping, quiet=here.quiet) as ended,
            opened(here, registry=registry, sets=sets, add=add, progress=not dry, readonly=dry) as session,
        ):
            if dry:
                return await preview_jobs(session, [target.job], flags.options(), output, advice)
            return ended(await Pass(session, flags, advice, place=target.url).run([target.job], output))


def _ids(file: Path) -> Sequence[str]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--ids-from {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--ids-from {file}: not UTF-8 text (byte {error.start})") from error
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
