"""`syncer manifest`: what is current in a destination, where it lies, and its sha256."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere

if TYPE_CHECKING:
    from syncer.cli.places import Place
    from syncer.cli.tables import Row

_TABLE = ("kind", "project", "batch", "annotation_type", "item", "version", "path", "container", "size", "sha256")
_CSV = ("op", *_TABLE, "fields", "run", "at", "reason")


async def manifest(
    job: Annotated[str, Parameter(help="A job of the configuration, or a destination of export: out.zip, dir/.")],
    /,
    *,
    sink: Annotated[str | None, Parameter(metavar="NAME", help="Which sink, where the job has several.")] = None,
    output: Annotated[
        Literal["table", "json", "jsonl", "csv"],
        Parameter(name=("--output", "-o"), help="How it is printed."),
    ] = "table",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Print what is current in a destination, where it lies, and its sha256."""
    from syncer.cli.exits import UsageError
    from syncer.cli.places import opened_places
    from syncer.cli.tables import Printer

    async with opened_places(here, [job], sink) as (_, found):
        if len(found) > 1:
            names = ", ".join(each.sink.name for each in found)
            raise UsageError(f"job {job} has {len(found)} sinks", hint=f"name one with --sink: {names}")
        place = found[0]
        printer = Printer(output, _CSV if output == "csv" else _TABLE if output == "table" else ())
        async for rows in _current(place):
            printer.add(rows)
        printer.end(empty="nothing is stored there")
    return 0


async def _current(place: "Place") -> "AsyncIterator[Iterator[Row]]":
    from syncer.cli.merged import as_row, merged
    from syncer.model.errors import SettingsError

    written = place.sink.manifest(place.job)
    if await written.head() is None:
        raise SettingsError(
            f"there is no manifest of job {place.job} at {place.url}", hint="nothing was stored there yet"
        )
    async for rows in merged(written):
        yield (as_row(row) for row in rows)
