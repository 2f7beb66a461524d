"""Redaction: named fields of documents, and columns of the same names, are dropped before anything is written."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from syncer.flow.cut import Rules, cut
from syncer.model.errors import ItemFailed
from syncer.model.refs import EXPORT, AnnotationRef, Page


class Redaction(msgspec.Struct, frozen=True):
    """Which fields go. `rules` are numbered; each number says which of the names in the configuration it came from."""

    names: tuple[str, ...]
    rules: Rules
    #: Name in the configuration by number.
    origin: tuple[int, ...]

    @classmethod
    def of(cls, wanted: Sequence[str], presets: Mapping[str, Sequence[str]]) -> "Redaction":
        """Read a list: names of presets, fields anywhere, or paths.

        Raises:
            ValueError: an entry is none of them; the message says which.
        """
        names = tuple(dict.fromkeys(wanted))
        anywhere: dict[str, int] = {}
        paths: list[tuple[int, tuple[str, ...]]] = []
        origin: list[int] = []
        for index, name in enumerate(names):
            for each in presets.get(name, (name,)):
                if each.startswith("/"):
                    paths.append((len(origin), _path(each)))
                elif "/" in each or not each:
                    message = f"{each!r} is neither a field nor a path: a path begins with /"
                    raise ValueError(message)
                else:
                    anywhere.setdefault(each, len(origin))
                origin.append(index)
        return cls(names, Rules(anywhere, tuple(paths)), tuple(origin))

    @property
    def fingerprint(self) -> str:
        """Return what changes when other fields go."""
        paths = ["/".join(("", *path)) for _, path in self.rules.paths]
        return ",".join(sorted([*self.rules.anywhere, *paths]))

    def columns(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """Return columns without those of a name that goes."""
        gone = self.rules.anywhere.keys() & fields.keys()
        return {name: text for name, text in fields.items() if name not in gone} if gone else fields


class Redacting(msgspec.Struct):
    """A redaction at work in one run; counts what it cut."""

    redaction: Redaction
    #: Documents looked at, and hits by name of the configuration.
    documents: int = 0
    hits: Counter[str] = msgspec.field(default_factory=Counter)

    def page(self, page: Page) -> Page:
        """Return a page whose references have no column that goes: neither paths nor rows ever know it."""
        return replace(page, refs=tuple([self.ref(ref) for ref in page.refs]))

    def document(self, data: bytes, ref: AnnotationRef) -> bytes:
        """Return a document without the fields that go.

        Raises:
            ItemFailed: nobody can say what is in it.
        """
        if ref.key.kind == EXPORT:
            raise ItemFailed(ref.key, "it is an archive of the platform's own, in which `redact` can't cut anything")
        hits: list[int] = []
        try:
            result = cut(data, self.redaction.rules, hits)
        except ValueError as error:
            raise ItemFailed(ref.key, f"`redact` can't read it: {error}") from error
        self.documents += 1
        self.hits.update(self.redaction.names[self.redaction.origin[number]] for number in hits)
        return result

    @property
    def idle(self) -> list[str]:
        """Return the names that met nothing, though documents were looked at."""
        return [name for name in self.redaction.names if not self.hits[name]] if self.documents else []

    def ref(self, ref: AnnotationRef) -> AnnotationRef:
        """Return a reference without the columns that go."""
        fields = self.redaction.columns(ref.fields)
        if fields is ref.fields:
            return ref
        gone = ref.fields.keys() - fields.keys()
        for name in gone:
            number = self.redaction.rules.anywhere[name]
            self.hits[self.redaction.names[self.redaction.origin[number]]] += 1
        return replace(ref, fields=fields)


def _path(text: str) -> tuple[str, ...]:
    path = tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
    if not path[-1] or path[-1] == "**":
        message = f"{text!r} ends without the name of a field"
        raise ValueError(message)
    return path
