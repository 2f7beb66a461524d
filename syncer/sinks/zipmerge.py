"""Merging archives without recompression: which entries are still current, and raw copies of those."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from syncer.sinks.zipbytes import Readable
from syncer.sinks.zipfile64 import Appender
from syncer.sinks.zipformat import Record
from syncer.sinks.zipread import Directory, entry_span

#: Names kept in memory at once while superseded entries are looked for.
NAMES_AT_ONCE = 400_000
#: Entries, and about how many bytes, copied in one go: what comes over a network is kept until its headers are checked.
_RUN = 4096
_RUN_SIZE = 8 << 20


def survivors(directories: Sequence[Directory], drops: Callable[[], Iterable[tuple[int, bytes]]] = tuple) -> bytearray:
    """Return one byte for each record of all directories, in order: 1 if it is current, else 0.

    A later record of a name supersedes an earlier one; a drop `(n, name)` ends what stood in the first n records,
    and drops come in order. Memory is bounded: where there are very many names, everything is read several times, for
    a share of the names each time.
    """
    total = sum(directory.entries for directory in directories)
    alive = bytearray(b"\1") * total
    passes = 1 + total // NAMES_AT_ONCE
    for share in range(passes):
        latest: dict[bytes, int] = {}
        waiting = chain(drops(), [(total + 1, b"")])
        until, drop = next(waiting)
        for number, record in enumerate(chain.from_iterable(d.records() for d in directories)):
            while until <= number:
                _end(latest, drop, alive)
                until, drop = next(waiting)
            name = record.name
            if passes > 1 and hash(name) % passes != share:
                continue
            _end(latest, name, alive)
            latest[name] = number
        while until <= total:
            _end(latest, drop, alive)
            until, drop = next(waiting)
    return alive


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
            run, start = [], record.offset
        run.append(record)
        stop = end
    out.copy(data, start, stop, run)


def _end(latest: dict[bytes, int], name: bytes, alive: bytearray) -> None:
    former = latest.pop(name, None)
    if former is not None:
        alive[former] = 0
