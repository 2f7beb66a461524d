"""Reads the YAML of a configuration: safe, duplicate keys refused, every value with its line."""

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from syncer.model.errors import SettingsError
from syncer.settings.problems import Place, Problem, SettingsRefused

#: Bytes; a configuration is written by hand.
MAX_FILE = 1024 * 1024
#: Values of a tree, aliases expanded.
MAX_VALUES = 100_000

_MERGE = "tag:yaml.org,2002:merge"
#: The types of YAML's JSON-like core; all others are refused.
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "null", "bool", "int", "float"))


class _Loader(yaml.SafeLoader):
    """Safe loading with the scalars of YAML 1.2: no octal or sexagesimal numbers, no dates, no `no` for false."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # the base class's own form


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?", list("-0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


class Document(msgspec.Struct, frozen=True):
    """A parsed file: plain values, and the line of each."""

    tree: dict[str, Any] = msgspec.field(default_factory=dict)
    lines: dict[Place, int] = msgspec.field(default_factory=dict)


def read(file: Path) -> Document:
    """Read a configuration file. Blocks: call it from a thread, or before the loop runs.

    Raises:
        SettingsError: it is missing, unreadable, too large or not text.
        SettingsRefused: it is not YAML, or a key stands twice.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except OSError as error:
        message = f"can't read the configuration {file}: {error.strerror}"
        raise SettingsError(message, hint="name another with -c FILE") from error
    if len(data) > MAX_FILE:
        message = f"the configuration {file} is larger than 1 MiB"
        raise SettingsError(message)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"the configuration {file} is not UTF-8 text (byte {error.start})"
        raise SettingsError(message) from error
    return parse(text, file)


def parse(text: str, file: Path | None = None) -> Document:
    """Parse the text of a configuration; an empty one is an empty mapping.

    Raises:
        SettingsRefused: it is not YAML, not a mapping, or a key stands twice.
    """
    builder = _Builder()
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            tree = {} if node is None else builder.build(loader, node, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SettingsRefused([Problem("", f"not valid YAML: {error.problem}", None, line)], file) from error
    except yaml.YAMLError as error:
        raise SettingsRefused([Problem("", f"not valid YAML: {str(error).splitlines()[0]}")], file) from error
    except RecursionError as error:
        raise SettingsRefused([Problem("", "nested too deeply")], file) from error
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        builder.problems.append(Problem("", "expected a mapping of state, platforms, sinks and jobs", None, 1))
    if builder.problems:
        raise SettingsRefused(builder.problems, file)
    return Document(tree, builder.lines)


def scalar(text: str) -> Any:  # noqa: ANN401  # any YAML value
    """Return the YAML value of an override: `5` is a number, `[a, b]` a list; text stays as it stands, `#` and all."""
    if "\n" in text:
        return text
    try:
        value = parse(f"value: {text}").tree["value"]
    except SettingsRefused:
        return text
    return text if isinstance(value, str) and text.strip()[:1] not in {"'", '"'} else value


class _Builder:
    """Turns YAML nodes into plain values and notes where each one stands."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def build(self, loader: _Loader, node: yaml.Node, place: Place) -> Any:  # noqa: ANN401  # any YAML value
        self.lines[place] = node.start_mark.line + 1
        if len(self.lines) > MAX_VALUES:
            raise yaml.MarkedYAMLError(problem="aliases expand to too many values", problem_mark=node.start_mark)
        if node.tag not in _TAGS:
            self._problem(place, f"the tag {node.tag[:60]} has no place in a configuration", node)
            return None
        if id(node) in self._open:
            self._problem(place, "an alias that contains itself", node)
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(loader, node, place)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(loader, item, (*place, index)) for index, item in enumerate(node.value)]
            try:
                return loader.construct_object(node)
            except (ValueError, KeyError):  # `!!int x`: the tag promises what the text does not hold
                self._problem(place, f"not a value of {node.tag}", node)
                return None
        finally:
            self._open.discard(id(node))

    def _mapping(self, loader: _Loader, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            name = str(key.value)
            if key.tag != _MERGE and name in seen:
                self._problem((*place, name), f"stands twice, first in line {seen[name]}", key)
            seen.setdefault(name, key.start_mark.line + 1)
        loader.flatten_mapping(node)
        result: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(place, "a key has to be plain text", key)
                continue
            # The text as it stands: a project called 7 or `true` keeps its name.
            name = str(key.value)
            result[name] = self.build(loader, value, (*place, name))
            self.lines[*place, name] = key.start_mark.line + 1
        return result

    def _problem(self, place: Place, message: str, node: yaml.Node) -> None:
        path = ".".join(str(part) for part in place)
        self.problems.append(Problem(path, message, None, node.start_mark.line + 1))
