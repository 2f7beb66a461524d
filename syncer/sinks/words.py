"""What is said beside HEAD: `status.json`, `latest`, `_SUCCESS`. Of two who speak, the later one is heard.

Whoever comes late, because it was stopped for a while, finds what was said since, and says nothing.
"""

import json
from collections.abc import Mapping

from syncer.model.errors import Conflict, NotNow
from syncer.ports import Blobs, Clock
from syncer.sinks.documents import FORMAT, encode
from syncer.sinks.owners import ATTEMPTS, pause

STATUS, LATEST, SUCCESS = "status.json", "latest", "_SUCCESS"

#: Bytes of such a document that are read.
_MOST = 16 << 20


class Words:
    """The documents in one folder that speak of a generation of HEAD."""

    def __init__(self, blobs: Blobs, folder: str, clock: Clock) -> None:
        """Take the store and the folder; nothing is touched before the first call."""
        self._blobs, self._folder, self._clock = blobs, folder, clock

    async def state(self, generation: int, status: Mapping[str, object]) -> None:
        """Say how the last run ended."""
        await self._say(STATUS, {"generation": generation, **status})

    async def succeed(self, generation: int, head: str) -> str | None:
        """Say that all is there; return the tag of that, None if a later generation is complete already."""
        words = {"format": FORMAT, "generation": generation}
        await self._say(LATEST, {**words, "head": head})
        return await self._say(SUCCESS, words)

    async def take_back(self, tag: str) -> None:
        """Remove what `succeed` said, unless somebody said something since."""
        try:
            await self._blobs.delete_many([f"{self._folder}/{SUCCESS}"], match=[tag])
        except Conflict:
            return

    async def withdraw(self, status: Mapping[str, object]) -> None:
        """Take back that all is there, if nobody spoke after the run that this status is of."""
        there, _ = await self._read(STATUS)
        _, tag = await self._read(SUCCESS)
        if tag is not None and str(there.get("ended", "")) <= str(status.get("ended", "~")):
            await self.take_back(tag)

    async def _say(self, name: str, words: Mapping[str, object]) -> str | None:
        for attempt in range(ATTEMPTS):
            there, tag = await self._read(name)
            if _order(there) > _order(words):
                return None
            try:
                return await self._blobs.put(f"{self._folder}/{name}", encode(words), create=tag is None, match=tag)
            except Conflict:
                await self._clock.sleep(pause(attempt))
        message = f"{self._blobs.url}/{self._folder}/{name} is changed all the time by others"
        raise NotNow(message, hint="run again when fewer processes work on this destination")

    async def _read(self, name: str) -> tuple[Mapping[str, object], str | None]:
        found = await self._blobs.get(f"{self._folder}/{name}", _MOST)
        if found is None:
            return {}, None
        try:
            words = json.loads(found[0])
        except (ValueError, RecursionError):
            words = None  # whoever wrote it, it says nothing
        return words if isinstance(words, dict) else {}, found[1]


def _order(words: Mapping[str, object]) -> tuple[int, str]:
    """Return what decides which of two documents is the later one: what they speak of, then when."""
    generation = words.get("generation")
    return generation if isinstance(generation, int) else -1, str(words.get("ended", ""))
