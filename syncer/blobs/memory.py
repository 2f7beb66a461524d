"""A store that forgets: for tests of sinks and plug-ins. It keeps the same promises as a real one."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
from anyio import to_thread

from syncer.model.entries import SpooledFile
from syncer.model.errors import Conflict, SettingsError, TooLarge
from syncer.model.paths import is_safe
from syncer.ports import About, BlobInfo

_CHUNK = 1 << 20
_SHARED: dict[str, "MemoryBlobs"] = {}


class MemoryBlobs:
    """Objects in a dictionary. Names with a segment that starts with a dot are private and never listed."""

    def __init__(self, name: str = "") -> None:
        """Start empty."""
        self.url = f"memory:{name}"
        self.folder: Path | None = None
        #: Content and tag by name.
        self.objects: dict[str, tuple[bytes, str]] = {}
        #: What was said of objects beside their bytes, by name.
        self.about: dict[str, About] = {}
        #: How often `sync` was called; what a test of durability looks at.
        self.syncs = 0
        self._serial = 0

    @classmethod
    def shared(cls, name: str) -> "MemoryBlobs":
        """Return the one store of this name in this process, so that a second run finds what the first one wrote."""
        return _SHARED.setdefault(name, cls(name))

    async def put_many(
        self,
        files: Sequence[tuple[str, bytes | SpooledFile]],
        scratch: str,
        *,
        about: Sequence[About] = (),
        match: Sequence[str | None] = (),
        create: bool = False,
    ) -> Sequence[str]:
        """Write or replace; return tags. Of one name that stands twice, the last body counts."""
        for name in (scratch, *(name for name, _ in files)):
            _guard(name)
        last = {name: index for index, (name, _) in enumerate(files)}
        tags: dict[str, str] = {}
        for name, index in last.items():
            data = files[index][1]
            body = data if isinstance(data, bytes) else await anyio.Path(data.path).read_bytes()
            tags[name] = await self.put(name, body, create=create, match=match[index] if match else None)
            self.about[name] = about[index] if about else About()
        return [tags[name] for name, _ in files]

    async def sync(self) -> None:
        """Count; there is nothing to force."""
        self.syncs += 1

    async def put(self, name: str, data: bytes, *, create: bool = False, match: str | None = None) -> str:
        """Write one object; return its tag.

        Raises:
            Conflict: with `create`, it is there with other bytes; with `match`, its tag is another.
        """
        present = self.objects.get(_guard(name))
        if create and present is not None:
            if present[0] == data:
                return present[1]
            message = f"{name} is already there with other content"
            raise Conflict(message)
        if match is not None and (present is None or present[1] != match):
            raise Conflict(_replaced(name))
        return self._store(name, data)

    async def get(self, name: str, limit: int) -> tuple[bytes, str] | None:
        """Return content and tag, None if absent.

        Raises:
            TooLarge: it is larger than `limit` bytes.
        """
        present = self.objects.get(_guard(name))
        if present is not None and len(present[0]) > limit:
            message = f"{name} is larger than {limit:,} bytes"
            raise TooLarge(message)
        return present

    async def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Stream bytes of the version that stands there at the first step.

        Raises:
            FileNotFoundError: there is no such object.
        """
        present = self.objects.get(_guard(name))
        if present is None:
            raise FileNotFoundError(name)
        data = present[0][start:stop]
        for position in range(0, len(data), _CHUNK):
            yield data[position : position + _CHUNK]

    async def stat(self, name: str) -> BlobInfo | None:
        """Return size and tag, None if absent."""
        present = self.objects.get(_guard(name))
        said = self.about.get(name, About()).metadata
        return None if present is None else BlobInfo(name, len(present[0]), present[1], said)

    async def list(self, prefix: str = "") -> AsyncIterator[BlobInfo]:
        """Yield all public objects below a prefix."""
        if prefix:
            _guard(f"{prefix}x")
        for name, (data, tag) in list(self.objects.items()):
            if name.startswith(prefix) and not any(part.startswith(".") for part in name.split("/")):
                yield BlobInfo(name, len(data), tag)

    async def folders(self, folder: str = "") -> Sequence[str]:
        """Return the public folders right below a folder, sorted: those that a name of an object goes through."""
        start = f"{_guard(folder)}/" if folder else ""
        below = (name.removeprefix(start).partition("/") for name in self.objects if name.startswith(start))
        return sorted({f"{start}{part}" for part, slash, _ in below if slash and not part.startswith(".")})

    async def delete_many(self, names: Sequence[str], scratch: str = "", *, match: Sequence[str] = ()) -> None:
        """Delete; absent names are fine.

        Raises:
            Conflict: one has another tag than `match` says.
        """
        del scratch
        for index, name in enumerate(names):
            present = self.objects.get(_guard(name))
            if match and present is not None and present[1] != match[index]:
                raise Conflict(_replaced(name))
            self.objects.pop(name, None)

    async def adopt(self, path: Path, name: str) -> str:
        """Take a local file in under `name` and remove it; return the tag."""
        source = anyio.Path(path)
        tag = self._store(name, await source.read_bytes())
        await to_thread.run_sync(path.unlink)
        return tag

    async def take_scratch(self, scratch: str) -> None:
        """Do nothing: writes here have no temporary files."""
        _guard(scratch)

    async def clear_scratch(self, scratch: str) -> None:
        """Do nothing: writes here have no temporary files."""
        _guard(scratch)

    async def copy(self, source: str, name: str, *, create: bool = False, match: str | None = None) -> str:
        """Store the same bytes under another name; return the tag.

        Raises:
            FileNotFoundError: there is no such object.
            Conflict: what has that name is not what it must be.
        """
        present, there = self.objects.get(_guard(source)), self.objects.get(_guard(name))
        if present is None:
            raise FileNotFoundError(source)
        if (create and there is not None) or (match is not None and (there is None or there[1] != match)):
            raise Conflict(_replaced(name))
        return self._store(name, present[0])

    async def remove_all(self, folder: str, *, until: str | None = None) -> None:
        """Delete everything below a folder, or what comes there up to a name."""
        top = f"{_guard(folder)}/"
        for name in [name for name in self.objects if name.startswith(top)]:
            if until is None or name.removeprefix(top).partition("/")[0] <= until:
                del self.objects[name]

    def _store(self, name: str, data: bytes) -> str:
        self._serial += 1
        tag = f"{len(data)}-{self._serial}"
        self.objects[_guard(name)] = (data, tag)
        self.about.pop(name, None)
        return tag


def _replaced(name: str) -> str:
    return f"{name} was replaced by somebody else"


def _guard(name: str) -> str:
    if not is_safe(name):
        message = f"{name[:200]!r} is no name inside the store"
        raise SettingsError(message)
    return name
