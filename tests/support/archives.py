"""What the engine does with a zip sink, without the engine: the order of calls, a checkpoint, crashes between them."""

import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from syncer.model.entries import Container, Entry, Published, SpooledFile, StoredRow
from syncer.model.errors import ContainerLost
from syncer.model.refs import ItemKey, Partition
from syncer.ports import Unit
from syncer.sinks.archive.options import PLUGIN, ZipOptions
from syncer.sinks.archive.session import ArchiveSession
from syncer.sinks.archive.sink import ArchiveSink
from tests.support.stored import entry, key, partition, stored, tools

#: Steps of a publish after which a process may die.
STEPS = ("staged", "recorded", "swapped", "published")


class Died(BaseException):
    """The process ends here; nothing after it happens."""


def zip_sink(folder: Path, **options: Any) -> ArchiveSink:
    """Return a bound sink that writes below a folder; by default one archive for everything, `x.zip`."""
    values = {"type": "zip", "url": f"file:{folder}", "name": "x.zip", "durability": "none", "path": "{item}.json"}
    # Parts of a few hundred bytes are no option for users; they make roll-over cheap to test.
    limit = options.pop("max_part_size", 2 << 30)
    chosen = ZipOptions(**{**values, **options}).model_copy(update={"max_part_size": limit})
    sink = PLUGIN.create(chosen, folder, replace(tools("nightly"), spool=folder / "spool"))
    assert isinstance(sink, ArchiveSink)
    sink.bind(frozenset(), {"project_title": "its title"})
    return sink


@dataclass
class Book:
    """The checkpoint of one unit, and the one who works on it. `crash` forgets the session, never the checkpoint."""

    sink: ArchiveSink
    partitions: tuple[Partition, ...] = (partition(),)
    epoch: int = 0
    resume: bytes | None = None
    published_resume: bytes | None = None
    staged: bytes | None = None
    containers: dict[str, Container] = field(default_factory=dict)
    #: What is committed, and what of it is published.
    rows: dict[ItemKey, StoredRow] = field(default_factory=dict)
    published: dict[ItemKey, StoredRow] = field(default_factory=dict)
    #: Rollbacks, for tests that expect none.
    lost: int = 0
    _accepted: dict[ItemKey, StoredRow | None] = field(default_factory=dict)
    _open: ArchiveSession | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def unit(self) -> Unit:
        """The unit that the book is about."""
        return Unit("unit", self.partitions)

    async def session(self) -> ArchiveSession:
        """Return the open session, opened as the engine does: staged swaps first, then from the token."""
        if self._open is not None:
            return self._open
        self.epoch += 1
        if self.staged is not None:
            containers = list(self.containers.values())
            async with self.sink.session(self.unit, self.epoch, self.resume, containers, self.staged) as rolling:
                self._record(await rolling.publish(self.staged))
                await rolling.settle()
        try:
            self._open = await self._enter()
        except ContainerLost:
            self.lost += 1
            self.rows, self.resume = dict(self.published), self.published_resume
            self._open = await self._enter()
        return self._open

    async def _enter(self) -> ArchiveSession:
        containers = list(self.containers.values())
        return await self._stack.enter_async_context(self.sink.session(self.unit, self.epoch, self.resume, containers))

    async def put(self, documents: Mapping[str, bytes], *, paths: Mapping[str, str] | None = None) -> None:
        """Write documents by item id."""
        await self.write([self.entry(item, body, path=(paths or {}).get(item, "")) for item, body in documents.items()])

    def entry(self, item: str, body: bytes | SpooledFile, *, path: str = "", project: str = "7") -> Entry:
        """Return an entry that replaces what the book has of its key."""
        one = key(item, project)
        held = self.rows.get(one)
        return entry(one, body, path=path or (held.path if held else ""), replaces=held)

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write entries."""
        session = await self.session()
        await session.write(entries)

    async def remove(self, items: Iterable[str], project: str = "7") -> None:
        """Take items out; the removal is committed with the next seal."""
        await self.remove_keys([key(item, project) for item in items])

    async def remove_keys(self, keys: Iterable[ItemKey]) -> None:
        """Do the same by key."""
        session = await self.session()
        rows = [self.rows[one] for one in keys if one in self.rows]
        await session.remove(rows)
        self._accepted.update(dict.fromkeys((row.key for row in rows), None))

    async def commit(self) -> None:
        """Seal, then move the checkpoint."""
        session = await self.session()
        seal = await session.seal()
        for item, row in self._accepted.items():
            assert row is None
            self.rows.pop(item, None)
        for receipt in seal.receipts:
            self.rows[receipt.key] = stored(receipt)
        self.resume = seal.resume
        self._accepted.clear()

    async def publish(self, die_after: str | None = None) -> Published | None:
        """Stage, record, swap, record, settle; die after one of `STEPS` if asked to."""
        session = await self.session()
        swaps = await session.stage()
        if swaps is None:
            self.published = dict(self.rows)
            return None
        self._die("staged", die_after)
        self.staged = swaps
        self._die("recorded", die_after)
        published = await session.publish(swaps)
        self._die("swapped", die_after)
        self._record(published)
        self._die("published", die_after)
        await session.settle()
        return published

    async def sync(self, documents: Mapping[str, bytes]) -> Published | None:
        """Write, commit and publish."""
        await self.put(documents)
        await self.commit()
        return await self.publish()

    async def crash(self) -> None:
        """Forget the session as a dying process does: what was accepted and not committed is gone."""
        # Closing the files is all that leaving does; nothing is flushed that was not before.
        await self.leave()
        self._accepted.clear()

    async def leave(self) -> None:
        """Close the session."""
        await self._stack.aclose()
        self._open = None

    def _record(self, published: Published) -> None:
        self.containers.update({container.name: container for container in published.containers})
        for name in published.dropped:
            self.containers.pop(name, None)
        self.resume = self.published_resume = published.resume
        self.staged = None
        self.published = dict(self.rows)

    @staticmethod
    def _die(step: str, die_after: str | None) -> None:
        if step == die_after:
            raise Died(step)

    # ------------------------------------------------------------------------------------------ what is there

    def stored_documents(self, folder: Path) -> dict[str, list[bytes]]:
        """Return every document of every container by path, as another zip reader sees it."""
        found: dict[str, list[bytes]] = {}
        for name, container in self.containers.items():
            data = (folder / name).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (container.size, container.sha256)
            with zipfile.ZipFile(folder / name) as archive:
                assert archive.testzip() is None
                assert len(archive.namelist()) == container.live + container.dead
                for info in archive.infolist():
                    found.setdefault(info.filename, []).append(archive.read(info))
        return found


def accepted_by_all(path: Path, *, large: bool = False) -> None:
    """Let every zip tool of the trade test an archive. They have to be installed: nothing here is optional.

    Of a `large` one Python reads the directory and the last entry only.
    """
    for command in (["unzip", "-tqq"], ["7z", "t", "-bso0", "-bsp0"], ["bsdtar", "-tf"]):
        assert shutil.which(command[0]), f"{command[0]} is not installed; the tests need it"
        done = subprocess.run([*command, str(path)], capture_output=True, check=False)
        assert done.returncode == 0, (command, done.stdout[-500:], done.stderr[-500:])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None if not large else archive.read(archive.namelist()[-1])


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def spooled(path: Path, data: bytes) -> SpooledFile:
    """Return a body in a file."""
    path.write_bytes(data)
    return SpooledFile(path, len(data), hashlib.sha256(data).hexdigest())


def names(folder: Path) -> list[str]:
    """Return the names of all files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def documents(path: Path) -> dict[str, bytes]:
    """Return what another reader finds in an archive."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {info.filename: archive.read(info) for info in archive.infolist()}


def raw_payloads(path: Path) -> dict[str, bytes]:
    """Return every entry's compressed bytes, header included."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
    return {info.filename: data[info.header_offset : end] for info, end in zip(infos, ends, strict=True)}
