"""`syncer changes`: what a destination got, lost or took back since one of its generations."""

from contextlib import aclosing
from typing import Annotated, Literal

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere

_TABLE = ("op", "kind", "project", "batch", "annotation_type", "item", "version", "path", "container", "size", "sha256")
_CSV = (*_TABLE, "fields", "run", "at", "reason")


async def changes(
    job: Annotated[str, Parameter(help="A job of the configuration, or where it stores: a folder, out.zip, s3://….")],
    /,
    *,
    since: Annotated[
        str,
        Parameter(metavar="GENERATION", help="From this one: a number, or the name of a snapshot. 0: from nothing."),
    ],
    until: Annotated[
        str | None, Parameter(metavar="GENERATION", help="To this one. Default: the present one, as HEAD says.")
    ] = None,
    sink: Annotated[str | None, Parameter(metavar="NAME", help="Which sink, where the job has several.")] = None,
    output: Annotated[
        Literal["table", "json", "jsonl", "csv"],
        Parameter(name=("--output", "-o"), help="How it is printed."),
    ] = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Print what changed in a destination since a generation.

    One row an item at most: what was put, what was deleted, what was
    withdrawn. It is exactly the difference of the two generations, however
    many lie in between. Without a configuration, name the destination.
    """
    from syncer.cli.manifests import generation, opened_manifest
    from syncer.cli.merged import as_row
    from syncer.cli.messages import say
    from syncer.cli.tables import Printer
    from syncer.model.errors import SettingsError
    from syncer.sinks.reading.changes import changes as differences

    async with opened_manifest(here, job, sink) as told:
        old = await told.manifest.at(generation(since))
        new = await told.manifest.head() if until is None else await told.manifest.at(generation(until))
        if new is None:
            raise SettingsError(f"there is no manifest of job {told.job} at {told.url}")
        printer = Printer(output, _CSV if output == "csv" else _TABLE if output == "table" else ())
        async with aclosing(differences(told.manifest, old, new, told.wanted)) as batches:
            async for rows in batches:
                printer.add(as_row(row) for row in rows)
        printer.end(empty="nothing changed")
        if not here.quiet:
            # What to ask from next time.
            say(f"{told.job}: from generation {old.generation:,} to {new.generation:,}".replace(",", ""))
    return 0
