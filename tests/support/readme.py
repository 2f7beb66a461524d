"""README.md as its tests see it: its examples, its commands, and the tables made from the words of the code.

`python -m tests.support.readme` writes the tables anew.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_type_hints

from cyclopts import Parameter
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from syncer.app.registry import built_in
from syncer.cli.options import PassFlags
from syncer.model.units import seconds, show_duration, size_in_bytes
from syncer.net.options import PlatformOptions
from syncer.sinks.layout import ITEM_FIELDS
from syncer.sinks.options import SinkOptions
from syncer.sources.annotell import AnnotellFirst
from syncer.sources.kognic.source import Kognic
from syncer.sources.label_studio.source import LabelStudio
from tests.support.tree import ROOT

FILE = ROOT / "README.md"
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"

#: Options that do nothing in this version: it has no daemon.
LATER = frozenset({"publish_every"})

#: Platforms in the order of the tables, and what they are called.
NAMES: Mapping[str, str] = {
    "label_studio": "a Label Studio platform",
    "kognic": "a Kognic platform",
    "annotell": "an Annotell platform",
}

#: Variables of every platform.
VARIABLES: Mapping[str, str] = {
    "project": "id of the project",
    "item": "id of the task, annotation or scene",
    "kind": "`task` or `annotation`",
    "version": "version of the document: when it was changed or delivered last",
}

Row = Sequence[str]


def text() -> str:
    """Return the whole file."""
    return FILE.read_text("utf-8")


def snippets(language: str) -> list[str]:
    """Return the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(), re.MULTILINE | re.DOTALL)


def inline() -> list[str]:
    """Return what stands in single backticks outside of blocks and tables made here, line breaks undone."""
    own = text().replace(written_tables(), "")
    prose = re.sub(r"^```.*?^```$", "", own, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose)]


def written_tables() -> str:
    """Return what stands between the two marks."""
    return text().partition(BEGIN)[2].partition(END)[0]


def tables() -> str:
    """Return what has to stand there."""
    assert {"project", *ITEM_FIELDS} == set(VARIABLES)
    registry = built_in()
    option = ("option", "default", "meaning")
    sources = {name: registry.sources[name] for name in NAMES}
    return "\n".join(
        [
            "### Options of a sink\n",
            _table(option, _sink_rows(registry.sinks["zip"].options)),
            "### Options of every platform\n",
            _table(option, _rows(PlatformOptions, {})),
            *(
                text
                for name, plugin in sources.items()
                for text in (
                    f"### Options of {NAMES[name]}\n",
                    _table(option, _rows(plugin.options, plugin.defaults, own=name)),
                )
            ),
            "### Variables of `path`\n",
            _table(("variable", "platform", "meaning"), _variable_rows()),
            "### Options of one pass\n",
            _table(("`sync`, `export`", "meaning"), _pass_rows()),
        ]
    )


def _variable_rows() -> Iterator[Row]:
    for name, words in VARIABLES.items():
        yield f"`{{{name}}}`", "every", words
    for source, title in ((LabelStudio, "Label Studio"), (Kognic, "Kognic"), (AnnotellFirst, "Annotell, API 1.0")):
        for name, words in source.variables.items():
            yield f"`{{{name}}}`", title, words


def _sink_rows(archive: type[BaseModel]) -> Iterator[Row]:
    for name, info in archive.model_fields.items():
        # Where a sink says it in words of its own, the common ones cover both.
        common = SinkOptions.model_fields.get(name)
        if name not in LATER:
            yield f"`{name}`" + ("" if common else " (zip)"), _default(common or info), _words(common or info)


def _rows(
    model: type[BaseModel], references: Mapping[str, Sequence[str]], above: str = "", own: str = ""
) -> Iterator[Row]:
    """Yield the options of a model; `own`: those that are the platform's own, or that it words anew."""
    for name, info in model.model_fields.items():
        common = PlatformOptions.model_fields.get(name)
        if own and common is not None and common.description == info.description:
            continue
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _rows(info.annotation, {}, f"{above}{name}.")
            continue
        found = [f"`{reference}`" for reference in references.get(name, ())]
        if not (found and info.is_required()):
            found.append(_default(info))
        yield f"`{above}{name}`", ", else ".join(found), _words(info)


def _pass_rows() -> Iterator[Row]:
    for field, hint in get_type_hints(PassFlags, include_extras=True).items():
        told = next(each for each in hint.__metadata__ if isinstance(each, Parameter))
        names = " ".join(f"`{name}`" for name in told.name or (f"--{field.replace('_', '-')}",))
        yield f"{names} {told.metavar or ''}".rstrip(), told.help or ""


def _words(info: FieldInfo) -> str:
    assert info.description, info
    return info.description


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    readers = {getattr(each, "func", None) for each in info.metadata}
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, list):
        return " ".join(f"`{each}`" for each in value)
    if seconds in readers:
        return f"`{show_duration(value)}`"
    if size_in_bytes in readers:
        return f"`{value // 2**20}MiB`" if value % 2**30 else f"`{value // 2**30}GiB`"
    # As YAML has it: `false`, `0.5`, `60`.
    return f"`{value:g}`" if isinstance(value, float) else f"`{str(value).lower() if value is False else value}`"


def _table(heads: Row, rows: Iterable[Row]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, ["---"] * len(heads), *rows))


def main() -> None:
    """Write the tables into the file."""
    head, begin, rest = text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin, "the mark where tables begin is gone"
    assert end, "the mark where tables end is gone"
    FILE.write_text(f"{head}{BEGIN}{tables()}{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
