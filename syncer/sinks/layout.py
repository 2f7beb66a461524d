"""Where an item lies below its root: templates, the default path, and the folders that a unit claims. Pure.

A template is cut at its slashes first and filled afterwards, so a value can never open a folder. Names that are
left equal on some file system (casefold, missing fields) are settled by the ledger, which sees all of them.
"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

import msgspec

from syncer.model.errors import SettingsError
from syncer.model.paths import clean_segment, is_plain
from syncer.model.refs import CONTEXT, EXPORT, FILES, AnnotationRef, Partition

#: Fields of a key that make folders by default, in this order.
KEY_FIELDS = ("project", "batch", "annotation_type")
#: Variables that every item fills.
ITEM_FIELDS = ("item", "kind", "version")
#: Folder of the context documents, beside the data.
CONTEXT_FOLDER = "_context"

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SUFFIX = re.compile(r"^\.[A-Za-z0-9]{1,12}$")
_EXTENSIONS = {
    "application/json": ".json", "application/x-ndjson": ".jsonl", "application/jsonl": ".jsonl",
    "application/xml": ".xml", "text/xml": ".xml", "text/csv": ".csv", "text/plain": ".txt",
    "image/jpeg": ".jpg", "image/png": ".png",
}  # fmt: skip


class Segment(msgspec.Struct, frozen=True):
    """One path segment of a template: literal pieces and variables, in turn."""

    text: str
    #: (True, variable) or (False, literal).
    parts: tuple[tuple[bool, str], ...]

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables used."""
        return frozenset(text for variable, text in self.parts if variable)

    def fill(self, values: Mapping[str, str | None]) -> str:
        """Return the text, not yet made safe; a missing value is empty."""
        return "".join([(values.get(text) or "") if variable else text for variable, text in self.parts])


class Template(msgspec.Struct, frozen=True):
    """A path with `{variables}`; `{{` and `}}` are literal braces."""

    segments: tuple[Segment, ...]
    #: The version is part of the name.
    versioned: bool = False

    @classmethod
    def parse(cls, text: str, allowed: Collection[str]) -> "Template":
        """Read a template.

        Raises:
            SettingsError: a variable that is not allowed, a stray brace, or a literal that is no safe name.
        """
        segments = tuple(_segment(part, text, allowed) for part in text.split("/"))
        return cls(segments, any("version" in segment.variables for segment in segments))

    @property
    def text(self) -> str:
        """The template as written."""
        return "/".join(segment.text for segment in self.segments)

    @property
    def variables(self) -> frozenset[str]:
        """Names of all variables used."""
        return frozenset().union(*(segment.variables for segment in self.segments))

    def render(self, values: Mapping[str, str | None], canonical: Callable[[], str]) -> str:
        """Return a safe relative path.

        An unsafe file name is cleaned and marked with a digest of the item's canonical key; an unsafe folder with a
        digest of its own text, so that all its items still share it. An empty folder name is `_`.
        """
        *folders, last = self.segments
        name = last.fill(values)
        if not is_plain(name):
            name = clean_segment(name, canonical())
        return "/".join([*(_folder(segment.fill(values)) for segment in folders), name]) if folders else name

    def prefix(self, values: Mapping[str, str | None]) -> str:
        """Return the folder below which all paths with these values lie: `7/`, or `` where a folder needs more."""
        known: list[str] = []
        for segment in self.segments[:-1]:
            if not segment.variables <= values.keys():
                break
            known.append(_folder(segment.fill(values)))
        return "".join([f"{name}/" for name in known])


class Layout(msgspec.Struct, frozen=True):
    """Where the items of one job lie below one root."""

    items: Template
    context: Template

    def path_of(self, partition: Partition, ref: AnnotationRef) -> str:
        """Return an item's wished path: safe and relative. A template's `.json` gives way to the real type."""
        template = self.context if ref.key.kind == CONTEXT else self.items
        extension = _own_extension(ref.fields) if ref.key.kind in FILES else None
        extension = extension or extension_of(ref.media_type, ref.fields)
        if ref.key.kind == EXPORT and ref.key.item.endswith(extension):
            # The name of a member of an archive ends with it already.
            extension = ""
        if extension != ".json":
            template = _with_extension(template, extension)
        canonical = ref.key.canonical
        if template.versioned:
            # Where versions lie side by side, two that are cleaned alike must not meet.
            return template.render(values_of(partition, ref), lambda: f"{canonical()}@{ref.version}")
        return template.render(values_of(partition, ref), canonical)

    def claims(self, partition: Partition) -> tuple[str, ...]:
        """Return the folders that a partition writes to: `("7/", "_context/7/")`, or `("",)` for the whole root."""
        values = partition_values(partition)
        prefix = self.items.prefix(values)
        return (prefix, self.context.prefix(values)) if prefix else ("",)


def bound_layout(
    path: str | None, fixed: frozenset[str], variables: Mapping[str, str], *, keep: bool = False
) -> Layout:
    """Return the layout for a template (None: the default) and a selection, see `Sink.bind`.

    The default drops each key field that the selection fixes to one literal, and each that is never filled. With
    `keep`, each version has a name of its own: `{item}.json` becomes `{item}@{version}.json`.

    Raises:
        SettingsError: the template uses a variable that is unknown or always empty, or none that tells items apart.
    """
    filled = {*ITEM_FIELDS, *variables, "project", *(name for name in KEY_FIELDS if name in fixed)}
    folders = [name for name in KEY_FIELDS if name in filled and name not in fixed]
    text = path if path is not None else "/".join([*(f"{{{name}}}" for name in folders), "{item}.json"])
    text = _with_version(text) if keep else text
    items = Template.parse(text, filled | set(KEY_FIELDS))
    empty = sorted(items.variables - filled)
    if empty:
        message = f"the path template {text!r} uses {{{empty[0]}}}, which is always empty here"
        raise SettingsError(message, hint=_EMPTY[empty[0]])
    if items.variables <= {*KEY_FIELDS, "kind"}:
        message = f"the path template {text!r} gives all items of a partition one name"
        raise SettingsError(message, hint="add {item}, or another variable that differs between items")
    return Layout(items, _context(items, folders, keep=keep))


def partition_values(partition: Partition) -> dict[str, str | None]:
    """Return what a partition alone fills: its key and its own fields."""
    key = partition.key
    return {**partition.fields, "project": key.project, "batch": key.batch, "annotation_type": key.annotation_type}


def values_of(partition: Partition, ref: AnnotationRef) -> dict[str, str | None]:
    """Return all variables of an item; where names clash, the partition's word stands, and the key's above all."""
    own = {"item": ref.key.item, "kind": ref.key.kind, "version": ref.version}
    return {**ref.fields, **partition_values(partition), **own}


def extension_of(media_type: str, fields: Mapping[str, str]) -> str:
    """Return the extension for a document, with its dot: by media type, else by the item's `filename`, else `.bin`."""
    plain = media_type.partition(";")[0].strip().lower()
    known = _EXTENSIONS.get(plain)
    if known is None and plain.endswith("+json"):
        known = ".json"
    return known or _own_extension(fields) or ".bin"


def _own_extension(fields: Mapping[str, str]) -> str | None:
    """Return the extension of a file's own name: unlike its media type, it is known in every run."""
    suffix = PurePosixPath(fields.get("filename", "")).suffix
    return suffix if _SUFFIX.match(suffix) else None


_EMPTY = {
    "batch": "the selection does not split by batch: select batches ('*' for all), or leave {batch} out",
    "annotation_type": "this platform has no annotation types: leave {annotation_type} out",
}


def _segment(part: str, text: str, allowed: Collection[str]) -> Segment:
    parts: list[tuple[bool, str]] = []
    end = 0
    for token in _TOKEN.finditer(part):
        parts.append((False, part[end : token.start()]))
        end = token.end()
        name = token.group(1)
        if name is not None:
            _check_variable(name, text, allowed)
            parts.append((True, name))
        elif len(token.group()) == 1:
            message = f"a stray brace in the path template {text!r}"
            raise SettingsError(message, hint="write {{ and }} for literal braces")
        else:
            parts.append((False, token.group()[0]))
    parts.append((False, part[end:]))
    kept = tuple((variable, piece) for variable, piece in parts if piece)
    # Whatever the variables hold, the literal pieces must not make every name unsafe.
    sample = "".join("x" if variable else piece for variable, piece in kept)
    if not sample or clean_segment(sample, "") != sample:
        message = f"{part!r} in the path template {text!r} is no safe name"
        raise SettingsError(message, hint="use relative paths of letters, digits and . _ - = @ + ~ between slashes")
    return Segment(part, kept)


def _check_variable(name: str, text: str, allowed: Collection[str]) -> None:
    if name in allowed:
        return
    near = difflib.get_close_matches(name, allowed, n=1)
    guess = f"; did you mean {{{near[0]}}}?" if near else ""
    message = f"unknown variable {{{name}}} in the path template {text!r}{guess}"
    raise SettingsError(message, hint="allowed here: " + ", ".join(sorted(allowed)))


def _folder(text: str) -> str:
    return clean_segment(text, text) if text else "_"


def _with_version(text: str) -> str:
    if "{version}" in text:
        return text
    folder, slash, name = text.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not dot or "}" in extension:
        stem, dot, extension = name, "", ""
    return f"{folder}{slash}{stem}@{{version}}{dot}{extension}"


def _context(items: Template, folders: Sequence[str], *, keep: bool) -> Template:
    """Return the place of context documents: below `_context`, in the folders that the data starts with."""
    head: list[Segment] = []
    for segment in items.segments[:-1]:
        if not segment.variables <= set(KEY_FIELDS):
            break
        head.append(segment)
    used = frozenset[str]().union(*(segment.variables for segment in head))
    rest = [f"{{{name}}}" for name in folders if name not in used]
    text = "/".join([CONTEXT_FOLDER, *(segment.text for segment in head), *rest, "{item}.json"])
    return Template.parse(_with_version(text) if keep else text, {*KEY_FIELDS, "item", "version"})


@lru_cache(maxsize=64)
def _with_extension(template: Template, extension: str) -> Template:
    *folders, last = template.segments
    variable, piece = last.parts[-1]
    if variable or not piece.endswith(".json"):
        return template
    parts = (*last.parts[:-1], (False, piece.removesuffix(".json") + extension))
    changed = Segment(last.text.removesuffix(".json") + extension, parts)
    return Template((*folders, changed), template.versioned)
