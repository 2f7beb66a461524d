"""An archive in a bucket, read at any offset from a worker thread: few requests, bounded memory, no byte twice."""

from collections import OrderedDict

from anyio import from_thread

from syncer.ports import BlobInfo, Blobs

#: Bytes of a block, where an archive is read from end to end, and where single entries are looked up.
SEQUENTIAL, RANDOM = 4 << 20, 128 << 10
#: Blocks kept of one archive.
_KEPT = 6


class RemoteArchive:
    """One version of an object, read by ranges. Blocking; for worker threads of the event loop, one at a time."""

    def __init__(self, blobs: Blobs, info: BlobInfo, *, block: int = SEQUENTIAL) -> None:
        """Take what is known of the object; nothing is read yet."""
        self.name, self.tag = info.name, info.tag
        self._blobs, self._size, self._block = blobs, info.size, block
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._kept: dict[int, bytes] = {}
        self._keep = info.size

    def length(self) -> int:
        """Return its size in bytes."""
        return self._size

    def keep(self, start: int) -> None:
        """Keep what is read from this offset on: the directory, which is read first and passed by last."""
        self._keep = start // self._block
        for number in [number for number in self._blocks if number >= self._keep]:
            self._kept[number] = self._blocks.pop(number)

    def read_at(self, size: int, offset: int) -> bytes:
        """Return up to so many bytes from an offset; fewer only where it ends.

        Raises:
            FileNotFoundError: the object is gone.
        """
        stop = min(offset + size, self._size)
        if stop <= offset:
            return b""
        first, last = offset // self._block, (stop - 1) // self._block
        found = b"".join([self._piece(number, last) for number in range(first, last + 1)])
        base = first * self._block
        return found[offset - base : stop - base]

    def _piece(self, number: int, last: int) -> bytes:
        block = self._kept.get(number)
        if block is not None:
            return block
        block = self._blocks.get(number)
        if block is None:
            return self._fetched(number, last)
        self._blocks.move_to_end(number)
        return block

    def _fetched(self, number: int, last: int) -> bytes:
        """Read a block, and in the same request those behind it that are asked for and not there."""
        end = number + 1
        while end <= last and end not in self._kept and end not in self._blocks:
            end += 1
        data = from_thread.run(self._read, number * self._block, min(end * self._block, self._size))
        for at in range(number, end):
            block = data[(at - number) * self._block : (at - number + 1) * self._block]
            (self._kept if at >= self._keep else self._blocks)[at] = block
        # What was asked for together is handed out before it may go.
        while len(self._blocks) > max(_KEPT, end - number):
            self._blocks.popitem(last=False)
        return data[: self._block]

    async def _read(self, start: int, stop: int) -> bytes:
        return b"".join([chunk async for chunk in self._blobs.read(self.name, start, stop)])
