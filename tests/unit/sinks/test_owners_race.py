"""Claims and success marks without locks: whoever dies, or comes at the same moment, at any step."""

import json

import pytest
from msgspec.structs import replace

from syncer.blobs.memory import MemoryBlobs
from syncer.model.errors import SettingsError
from syncer.sinks.manifest import JobManifest
from tests.support.stored import StillClock
from tests.unit.sinks.test_manifest import lines, row
from tests.unit.sinks.test_owners import CLAIM


class DiesError(BaseException):
    """The process ends here."""


class Dying(MemoryBlobs):
    """A store whose user dies after so many writes."""

    writes = 0
    last = 0

    async def put(self, name: str, data: bytes, *, create: bool = False, match: str | None = None) -> str:
        """Write, and perhaps die."""
        tag = await super().put(name, data, create=create, match=match)
        self.writes += 1
        if self.writes == self.last:
            raise DiesError
        return tag


class Meddling(MemoryBlobs):
    """A store where somebody else acts right before something is written."""

    async def put(self, name: str, data: bytes, *, create: bool = False, match: str | None = None) -> str:
        """Let the other act first."""
        if name.endswith("/_SUCCESS"):
            other = JobManifest(self, "street", "lake", StillClock())
            segment = await other.put_segment("8", 1, 1, lines(row("x")))
            await other.move_head(segments=[segment], complete=False)
        return await super().put(name, data, create=create, match=match)


def manifest(blobs: MemoryBlobs, job: str = "street") -> JobManifest:
    """Return the view of a process."""
    return JobManifest(blobs, job, "lake", StillClock())


def claims(blobs: MemoryBlobs, job: str) -> dict[str, int]:
    """Return what a job's document claims, with epochs."""
    found: dict[str, int] = json.loads(blobs.objects[f"_manifest/{job}/owner.json"][0])["claims"]
    return found


async def test_a_claimant_that_dies_is_seen_and_confirmed_later() -> None:
    """Dead before the claim is confirmed: another job is refused with both names, its own next run confirms it."""
    blobs = Dying()
    blobs.last = 1
    with pytest.raises(DiesError):
        await manifest(blobs).claim(CLAIM)
    assert claims(blobs, "street") == {"7/": 0, "_context/7/": 0}
    with pytest.raises(SettingsError, match=r"'road'.*'street'"):
        await manifest(blobs, "road").claim(replace(CLAIM, job="road", paths=("7/",)))
    assert "_manifest/road/owner.json" not in blobs.objects
    await manifest(blobs).claim(CLAIM)
    assert claims(blobs, "street") == {"7/": 1, "_context/7/": 1}


async def test_who_comes_at_the_same_moment_gives_in() -> None:
    """A job that finds another's claim after it wrote its own takes its own back."""
    blobs = MemoryBlobs()

    class Late(MemoryBlobs):
        async def put(self, name: str, data: bytes, *, create: bool = False, match: str | None = None) -> str:
            if name == "_manifest/street/owner.json" and name not in blobs.objects:
                await manifest(blobs, "road").claim(replace(CLAIM, job="road", paths=("7/",)))
            return await blobs.put(name, data, create=create, match=match)

    late = Late()
    late.objects = blobs.objects
    with pytest.raises(SettingsError, match=r"'street'.*'road'"):
        await manifest(late).claim(CLAIM)
    assert claims(blobs, "street") == {}
    assert claims(blobs, "road") == {"7/": 1}


async def test_success_is_taken_back_where_head_moved_on() -> None:
    """Complete for one, and somebody who is not complete moves HEAD meanwhile: no mark stays behind."""
    blobs = Meddling()
    segment = await manifest(blobs).put_segment("7", 1, 1, lines(row("a")))
    await manifest(blobs).move_head(segments=[segment], complete=True)
    assert "_manifest/street/_SUCCESS" not in blobs.objects
    head = await manifest(blobs).head()
    assert head is not None
    assert len(head.segments) == 2
