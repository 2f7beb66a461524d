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
from syncer.ports import SinkPlugin, SourcePlugin
from syncer.sinks.layout import ITEM_FIELDS
from syncer.sinks.options import SinkOptions
from syncer.sources.annotell import Annotell
from syncer.sources.clarifai.source import Clarifai
from syncer.sources.datature.source import Datature
from syncer.sources.kognic.source import Kognic
from syncer.sources.label_studio.source import LabelStudio
from syncer.sources.nexus.source import Nexus
from tests.support.tree import ROOT

FILE = ROOT / "README.md"
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"

#: Options that do nothing in this version: it has no daemon.
LATER = frozenset({"publish_every"})

#: Variables of every platform; some say more exactly what theirs are.
VARIABLES: Mapping[str, str] = {
    "project": "id of the project, app or dataset",
    "item": "id of the task, scene, input, asset or annotation that the document is of",
    "kind": "`annotation`, or what else the document is: `task`, `input`, `asset`",
    "version": "version of the document",
}

#: The platforms that are told about, with the variables of each.
SOURCES: Mapping[str, Mapping[str, str]] = {
    "label_studio": {
        "version": "when the task or annotation was changed last, and when it was created",
        **LabelStudio.variables,
    },
    "kognic": Kognic.variables,
    "annotell": Annotell.variables,
    "clarifai": {
        "item": "ids of input and annotation, with a dot between, or id of the input",
        "version": "last change and creation of the annotation; a digest where items are inputs",
        **Clarifai.variables,
    },
    "datature": Datature.variables,
    "nexus": Nexus.variables,
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
    platforms = [_platform(registry.sources[name], source) for name, source in SOURCES.items()]
    return "\n".join(
        [
            "### Options of a sink\n",
            _table(option, _sink_rows(registry.sinks)),
            "### Options of a platform\n",
            "Every platform takes these. What each has for itself, and which variables of `path` it fills, follows.\n",
            _table(option, _common_rows()),
            *platforms,
            "Everywhere, `path` may use these too:\n",
            _table(("variable", "meaning"), _variables(VARIABLES)),
            "### Options of one pass\n",
            _table(("`sync`, `export`", "meaning"), _pass_rows()),
        ]
    )


def _platform(plugin: SourcePlugin, variables: Mapping[str, str]) -> str:
    """Return what one platform has for itself, folded: a reader opens the one that they use."""
    title = plugin.title.partition(":")[0]
    return "\n".join(
        [
            f"<details><summary><b>{title}</b> (<code>{plugin.type}</code>)</summary>\n",
            _table(("option", "default", "meaning"), _own_rows(plugin)),
            _table(("variable", "meaning"), _variables(variables)),
            *([_table(("`redact`", "drops"), _sets(plugin.redactions))] if plugin.redactions else []),
            "</details>\n",
        ]
    )


def _sink_rows(sinks: Mapping[str, SinkPlugin]) -> Iterator[Row]:
    """Yield what every sink takes, then what each has for itself."""
    # Where a sink says it in words of its own, the common ones cover both.
    for name, info in SinkOptions.model_fields.items():
        if name not in LATER:
            yield f"`{name}`", _default(info), _words(info)
    own: dict[Row, list[str]] = {}
    for kind in ("prefix", "zip", "jsonl", "parquet"):
        for name, info in sinks[kind].options.model_fields.items():
            if name not in SinkOptions.model_fields and name not in LATER:
                own.setdefault((name, _default(info), _words(info)), []).append(kind)
    for (name, default, words), kinds in own.items():
        yield f"`{name}` ({', '.join(kinds)})", default, words


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
        yield f"`{above}{name}`", ", else ".join(filter(None, found)), _words(info)


def _common_rows() -> Iterator[Row]:
    yield from (row for row in _rows(PlatformOptions, {}) if row[0] not in {"`type`", "`url`"})


def _own_rows(plugin: SourcePlugin) -> Iterator[Row]:
    """Return the options that a platform has for itself, its address first, and those with a default of its own."""
    common = {row[0]: row for row in _rows(PlatformOptions, {})}
    yield from (
        row for row in _rows(plugin.options, plugin.defaults) if row != common.get(row[0]) and row[0] != "`type`"
    )


def _variables(named: Mapping[str, str]) -> list[Row]:
    return [(f"`{{{name}}}`", words) for name, words in named.items()]


def _sets(redactions: Mapping[str, Sequence[str]]) -> list[Row]:
    return [(f"`{name}`", ", ".join(f"`{each}`" for each in fields)) for name, fields in redactions.items()]


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
    return (
        f"`{value:g}`" if isinstance(value, float) else f"`{str(value).lower() if isinstance(value, bool) else value}`"
    )


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
