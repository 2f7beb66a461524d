"""Merging archives without recompression: which entries are still current, and raw copies of those."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from syncer.model.running import beat
from syncer.sinks.zip64.read import Directory, entry_span
from syncer.sinks.zip64.readable import Readable
from syncer.sinks.zip64.records import Record
from syncer.sinks.zip64.writer import Appender

#: Names kept in memory at once while superseded entries are looked for.
NAMES_AT_ONCE = 100_000
#: Records from which on a filter first finds the names that may stand there twice: in a calm archive, hardly any.
MANY = 20_000
#: Bits of the filter for each record, at least, of which a name sets two: of a million names, some four thousand are
#: taken for doubles and are none.
_BITS = 16
#: Bits of names that came first for one bit of those that came again, which are few.
_RARER = 4
#: Entries, and about how many bytes, copied in one go: what comes over a network is kept until its headers are checked.
_RUN = 4096
_RUN_SIZE = 8 << 20


class _Doubtful:
    """A filter of fixed size: names that may have come more than once, all of those and a few others.

    Two to five bytes a record while names are added, half a byte to one afterwards.
    """

    def __init__(self, records: int) -> None:
        bits = 1 << max(5, (records * _BITS - 1).bit_length())
        self._mask, self._rarer = bits - 1, bits // _RARER - 1
        self._once = bytearray(bits >> 3)
        self._more = bytearray(bits // _RARER >> 3)
        #: Times that a name was added again, at least: none is proof that no name came twice.
        self.count = 0

    def add(self, names: Iterable[bytes]) -> None:
        """Add names; all of them, before any is asked for."""
        once, more, mask, rarer = self._once, self._more, self._mask, self._rarer
        for name in names:
            number = hash(name)
            # The two halves of a hash serve as two.
            slot, other = number & mask, number >> 32 & mask
            place, bit, there, beside = slot >> 3, 1 << (slot & 7), other >> 3, 1 << (other & 7)
            if once[place] & bit and once[there] & beside:
                slot, other = slot & rarer, other & rarer
                more[slot >> 3] |= 1 << (slot & 7)
                more[other >> 3] |= 1 << (other & 7)
                self.count += 1
            else:
                once[place] |= bit
                once[there] |= beside

    def close(self) -> None:
        """No more names come: what came once is of no interest now."""
        self._once = bytearray()

    def __contains__(self, name: bytes) -> bool:
        number, rarer = hash(name), self._rarer
        slot = number & rarer
        if not self._more[slot >> 3] & 1 << (slot & 7):
            return False
        slot = number >> 32 & rarer
        return bool(self._more[slot >> 3] & 1 << (slot & 7))


class Named(Protocol):
    """One entry of a file."""

    @property
    def name(self) -> bytes:
        """Its path."""


class Listing(Protocol):
    """The entries of a file, in order."""

    entries: int

    def records(self) -> Iterator[Named]:
        """Yield them; may be asked for several times while the file is open.

        Raises:
            DamagedError: the file is not what it should be.
        """


def survivors(directories: Sequence[Listing], drops: Callable[[], Iterable[tuple[int, bytes]]] = tuple) -> bytearray:
    """Return one byte for each record of all directories, in order: 1 if it is current, else 0.

    A later record of a name supersedes an earlier one; a drop `(n, name)` ends what stood in the first n records,
    and drops come in order. Memory is bounded: only names that may matter twice are kept, and where there are very
    many of those, everything is read several times, for a share of the names each time.
    """
    total = sum(directory.entries for directory in directories)
    alive = bytearray(b"\1") * total
    doubtful = _doubtful(directories, drops, total) if total >= MANY else None
    if doubtful is not None and not doubtful.count:
        return alive
    passes = 1 + (total if doubtful is None else doubtful.count) // NAMES_AT_ONCE
    for share in range(passes):
        latest: dict[bytes, int] = {}
        waiting = chain(drops(), [(total + 1, b"")])
        until, drop = next(waiting)
        for number, record in enumerate(chain.from_iterable(d.records() for d in directories)):
            while until <= number:
                _end(latest, drop, alive)
                until, drop = next(waiting)
            name = record.name
            if (doubtful is not None and name not in doubtful) or (passes > 1 and hash(name) % passes != share):
                continue
            _end(latest, name, alive)
            latest[name] = number
        while until <= total:
            _end(latest, drop, alive)
            until, drop = next(waiting)
    return alive


def _doubtful(
    directories: Sequence[Listing], drops: Callable[[], Iterable[tuple[int, bytes]]], total: int
) -> _Doubtful:
    """Read everything once; a name that is dropped counts like one that came again."""
    doubtful = _Doubtful(total)
    doubtful.add(record.name for record in chain.from_iterable(directory.records() for directory in directories))
    doubtful.add(name for _, name in drops())
    doubtful.close()
    return doubtful


def copy_alive(directory: Directory, data: Readable, alive: Iterable[int], out: Appender) -> None:
    """Append the entries that are marked alive to another archive, without decompressing them.

    Raises:
        DamagedError: an entry's header is not the one that belongs to its record.
    """
    run: list[Record] = []
    start = stop = 0
    for record, keep in zip(directory.records(), alive, strict=True):
        if not keep:
            continue
        _, end = entry_span(data, record)
        if record.offset != stop or len(run) >= _RUN or stop - start >= _RUN_SIZE:
            out.copy(data, start, stop, run)
            beat()
            run, start = [], record.offset
        run.append(record)
        stop = end
    out.copy(data, start, stop, run)


def _end(latest: dict[bytes, int], name: bytes, alive: bytearray) -> None:
    former = latest.pop(name, None)
    if former is not None:
        alive[former] = 0
