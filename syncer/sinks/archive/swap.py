"""Staging and publishing archives: build the next one beside the published one, then swap them by one rename each.

A swap list says for each archive what its next state is and by which evidence it is known, so that carrying the list
out can be repeated from any point: what is swapped already is recognised by its digest, what is not is swapped now.
"""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path

import msgspec

from syncer.model.entries import Container
from syncer.model.errors import SettingsError
from syncer.model.paths import is_safe
from syncer.model.value import asdict
from syncer.sinks.archive.form import Form
from syncer.sinks.archive.fresh import Fresh
from syncer.sinks.archive.store import Store, changed
from syncer.sinks.archive.token import FORMAT
from syncer.sinks.zip64.deflate import DamagedError
from syncer.sinks.zip64.merge import Listing, survivors
from syncer.sinks.zip64.readable import Readable, tag_of


class Swap(msgspec.Struct, frozen=True):
    """The next state of one archive."""

    name: str
    #: Staged file or object that takes its place, below the folder or bucket; None: the archive stays, or goes.
    temp: str | None
    #: Tag of what is published now; None: nothing is.
    old_tag: str | None
    #: Digest and bytes of the archive afterwards.
    sha256: str
    size: int
    live: int
    dead: int
    #: Nothing is left in it: it goes.
    drop: bool = False

    def container(self, tag: str) -> Container:
        """Return what HEAD says of it afterwards."""
        return Container(self.name, tag, self.size, self.sha256, self.live, self.dead)


def encode_swaps(swaps: Sequence[Swap]) -> bytes:
    """Return a swap list as it stands in a checkpoint."""
    return json.dumps({"format": FORMAT, "swaps": [asdict(swap) for swap in swaps]}, separators=(",", ":")).encode()


def decode_swaps(text: bytes) -> tuple[Swap, ...]:
    """Read a swap list.

    Raises:
        SettingsError: it was written by a newer version, or is none.
    """
    names = set(Swap.__struct_fields__)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        values = json.loads(text)
        if values["format"] == FORMAT and all(set(item) == names and is_safe(item["name"]) for item in values["swaps"]):
            return tuple(Swap(**item) for item in values["swaps"])
    message = "the state holds a list of staged archives that this version can't read"
    raise SettingsError(message, hint="use the version that wrote it, or a newer one")


def stage(
    store: Store, form: Form, name: str, published: Container | None, fresh: Fresh,
    gather: Callable[[Fresh], None], *, keep_empty: bool, durable: bool,
) -> Swap | None:  # fmt: skip
    """Build the next state of one archive from what is published and what is sealed. Blocking; repeatable.

    `gather` brings new entries that were moved elsewhere back into their file, before they are read.

    Returns None if there is nothing to publish: what was new is superseded or removed again.

    Raises:
        DestinationChanged: the published archive is not what was published.
        OSError: the disk is full, or the like; what was staged so far is removed.
    """
    if published is not None and not fresh.sealed.entries and all(kind == "dead" for _, kind, _ in fresh.ops()):
        died = len({hash(path) for _, _, path in fresh.ops()})
        dead = min(published.dead + died, published.dead + published.live)
        live = published.live + published.dead - dead
        return Swap(name, None, published.tag, published.sha256, published.size, live, dead)
    try:
        return _next_state(store, form, name, published, fresh, gather, keep_empty=keep_empty, durable=durable)
    except DamagedError as error:
        raise changed(store.where(name), str(error)) from error
    except FileNotFoundError as error:
        raise changed(store.where(name), "it is missing") from error


def _next_state(
    store: Store, form: Form, name: str, published: Container | None, fresh: Fresh,
    gather: Callable[[Fresh], None], *, keep_empty: bool, durable: bool,
) -> Swap | None:  # fmt: skip
    tag = published.tag if published else None
    with contextlib.ExitStack() as stack:
        old: tuple[Listing, Readable] | None = None
        if published is not None:
            file = stack.enter_context(store.open(name))
            if tag_of(file) != published.tag:
                raise changed(store.where(name), "it was replaced or changed")
            old = form.listing(file, name), file
        base = 0 if old is None else old[0].entries
        directory = fresh.directory()
        new = None if directory is None or fresh.appender is None else (directory, fresh.appender.data)
        listings = [source[0] for source in (old, new) if source is not None]
        alive = survivors(listings, lambda: ((base + at, path) for at, _, path in fresh.ops()))
        live = sum(alive)
        if not live and (published is None or not keep_empty):
            return None if published is None else Swap(name, None, tag, "", 0, 0, 0, drop=True)
        if form.grows and published is None and live == len(alive) and fresh.appender is not None and not fresh.pending:
            temp = fresh.beside(".partial")
            closed = fresh.appender.finish()
            _settle_file(fresh.appender.data, None, durable=durable)
        else:
            gather(fresh)
            temp = fresh.beside(".next")
            closed = form.merge(temp, name, old, new, alive)
            try:
                with FileIO(temp, "r+") as merged:
                    _settle_file(merged, fresh.archive, durable=durable)
            except OSError:  # what may not be durable is not staged, and its space may be what is missing
                temp.unlink(missing_ok=True)
                raise
    dead = min(live, _left_dead(published, fresh))
    return Swap(name, temp.relative_to(fresh.root).as_posix(), tag, closed.sha256, closed.size, live - dead, dead)


def _left_dead(published: Container | None, fresh: Fresh) -> int:
    """Return how many superseded entries an erasure leaves in an archive; anything else that rewrites one drops all."""
    kinds = [kind for _, kind, _ in fresh.ops()] if published is not None and published.dead else []
    if published is None or not kinds or not {"erase", "purge"}.issuperset(kinds):
        return 0
    return max(0, published.dead - kinds.count("purge"))


def _settle_file(file: FileIO, target: Path | None, *, durable: bool) -> None:
    """Force a staged file to disk; its time is later than that of the one it replaces, or their tags could be equal."""
    with contextlib.suppress(FileNotFoundError):
        before = 0 if target is None else target.stat().st_mtime_ns
        if file_time(file) <= before:
            os.utime(file.fileno(), ns=(before + 1, before + 1))
    if durable:
        os.fsync(file.fileno())


def file_time(file: FileIO) -> int:
    """Return when an open file was last written, in nanoseconds."""
    return os.fstat(file.fileno()).st_mtime_ns
