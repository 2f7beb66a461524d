"""README.md as its tests see it: its examples, its commands, and the tables that are made from the models' own words.

`python -m tests.support.readme` writes the tables anew.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from syncer.app.registry import built_in
from syncer.cli.options import PassFlags
from syncer.cli.tree import app
from syncer.model.units import DURATION_PATTERN, show_duration
from syncer.ports import SourcePlugin
from syncer.sinks.layout import ITEM_FIELDS
from syncer.sinks.options import SinkOptions
from tests.support.tree import ROOT

FILE = ROOT / "README.md"
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"

#: Options that do nothing in this version: it has no daemon.
LATER = frozenset({"publish_every"})
#: What fills the variables that every platform has.
EVERYWHERE: Mapping[str, str] = {
    "project": "id of the project",
    "item": "id of the task, or of the annotation",
    "kind": "`task` or `annotation`",
    "version": "the document's version: when it was changed last, and created",
}


def text() -> str:
    """Return the whole file."""
    return FILE.read_text("utf-8")


def snippets(language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(), re.MULTILINE | re.DOTALL)


def inline() -> list[str]:
    """Return what stands in single backticks, line breaks undone."""
    prose = re.sub(r"^```.*?^```$", "", text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose)]


def written_tables() -> str:
    """Return what stands between the two marks."""
    return text().partition(BEGIN)[2].partition(END)[0]


def tables() -> str:
    """Return what has to stand there."""
    registry = built_in()
    prefix, archive = registry.sinks["prefix"].options, registry.sinks["zip"].options
    source = registry.sources["label_studio"]
    variables = {**EVERYWHERE, **registry_variables(source)}
    parts = [
        "### Options of a sink\n",
        _table(("option", "default", "meaning"), _sink_rows(prefix, archive)),
        "### Options of a Label Studio platform\n",
        _table(("option", "default", "meaning"), _rows(source.options, source.defaults)),
        "### Variables of `path` and `name`\n",
        "An archive's `name` takes those of the project only.\n",
        _table(("Label Studio", "what fills it"), [(f"`{{{name}}}`", word) for name, word in variables.items()]),
        "### Options of one pass (`sync`, `export`)\n",
        _table(("option", "meaning"), _pass_rows()),
    ]
    return "\n".join(parts)


def registry_variables(plugin: SourcePlugin) -> Mapping[str, str]:
    """Return the path variables of a platform's own."""
    found: Mapping[str, str] = plugin.create.__annotations__["return"].variables
    return found


def _sink_rows(prefix: type[BaseModel], archive: type[BaseModel]) -> Iterator[Sequence[str]]:
    for name, info in archive.model_fields.items():
        if name in LATER:
            continue
        shared = SinkOptions.model_fields.get(name)
        assert (name in prefix.model_fields) == (shared is not None), name
        only = "" if shared else " (zip)"
        yield f"`{name}`{only}", _default(shared or info), (shared or info).description or ""


def _rows(
    model: type[BaseModel], references: Mapping[str, Sequence[str]], before: str = ""
) -> Iterator[Sequence[str]]:
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _rows(inner, {}, f"{before}{name}.")
            continue
        found = [f"`{each}`" for each in references.get(name, ())]
        fallback = _default(info)
        yield f"`{before}{name}`", ", else ".join([*found, *([fallback] if info.is_required() < bool(found) or not found else [])]), info.description or ""  # noqa: E501


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value == [] or value is PydanticUndefined:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return " ".join(f"`{each}`" for each in value)
    if isinstance(value, float) and DURATION_PATTERN in repr(info.metadata):
        return f"`{show_duration(value).replace(' ', '')}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _pass_rows() -> Iterator[Sequence[str]]:
    arguments: Any = app["sync"].assemble_argument_collection(parse_docstring=False)
    names = set(PassFlags.__dataclass_fields__)
    for argument in arguments:
        if argument.keys and argument.keys[-1] in names:
            shown = argument.parameter.metavar
            yield ", ".join(f"`{each}`" for each in argument.names) + (f" {shown}" if shown else ""), argument.parameter.help


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]] | list[tuple[str, str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def main() -> None:
    """Write the tables into the file."""
    head, begin, rest = text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin, "the mark where tables begin is gone"
    assert end, "the mark where tables end is gone"
    FILE.write_text(f"{head}{BEGIN}{tables()}{END}{tail}", "utf-8")
    assert set(ITEM_FIELDS) | {"project"} == set(EVERYWHERE)


if __name__ == "__main__":
    main()
