"""`syncer config`: the configuration as it was understood, and the schema that editors check it with."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from syncer.cli.options import EVERYWHERE, Everywhere
from syncer.cli.tree import family

if TYPE_CHECKING:
    from syncer.settings import Settings

app = family("config")


@app.command(usage="Usage: syncer config show [OPTIONS]")
async def show(
    *,
    output: Annotated[Literal["yaml", "json"], Parameter(name=("--output", "-o"), help="How it is printed.")] = "yaml",
    here: Everywhere = EVERYWHERE,
) -> int:
    """Show the configuration as it was understood: defaults filled in, credentials as their references."""
    import yaml

    from syncer.cli.context import opened
    from syncer.cli.messages import plain
    from syncer.cli.tables import emit, json_text

    async with opened(here, readonly=True) as session:
        tree = _tree(session.syncer.settings)
    if output == "json":
        emit(json_text(tree, indent=2))
    else:
        emit(plain(yaml.safe_dump(tree, sort_keys=False, width=120)).rstrip())
    return 0


@app.command(usage="Usage: syncer config schema")
async def schema(*, here: Everywhere = EVERYWHERE) -> int:  # noqa: ARG001  # every command takes the same options
    """Print the JSON Schema of the configuration file, for editors."""
    import anyio.to_thread

    from syncer.app.registry import discover
    from syncer.cli.tables import emit, json_text

    registry = await anyio.to_thread.run_sync(discover)
    emit(json_text(registry.schema(), indent=2))
    return 0


def _tree(settings: "Settings") -> dict[str, object]:
    return {
        "file": None if settings.file is None else str(settings.file),
        "state": settings.state,
        "spool": None if settings.spool is None else str(settings.spool),
        "memory": settings.memory,
        "log": _plain(settings.log),
        "platforms": {each.name: _entry(each.type, each.options) for each in settings.platforms.values()},
        "sinks": {each.name: _entry(each.type, each.options) for each in settings.sinks.values()},
        "jobs": {
            job.name: {
                **_mapping(_plain(job.options)),
                "sinks": [{leg.name: _entry(leg.type, leg.options)} for leg in job.legs],
            }
            for job in settings.jobs.values()
        },
    }


def _entry(kind: str, options: object) -> dict[str, object]:
    return {"type": kind, **_mapping(_plain(options))}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _plain(value: object) -> object:
    """Return options as plain values; a credential as the harmless name of where it comes from."""
    from pydantic import BaseModel

    from syncer.model.secret import Secret

    match value:
        case Secret():
            return value.source
        case BaseModel():
            fields = type(value).model_fields
            return {info.alias or name: _plain(getattr(value, name)) for name, info in fields.items()}
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
