"""Members of an archive that somebody else made: listed and read only when every one of them is harmless. Blocks.

Nothing is ever unpacked to a path of the archive's choosing: a member is bytes with a name. What could still hurt is
refused as a whole: names that climb, links, names that are one file on some systems, and bombs.
"""

import hashlib
import stat
import zipfile
from pathlib import Path
from typing import IO

import msgspec

from syncer.model.paths import fold, is_safe

#: Members of an archive, bytes of one, and bytes of all: a whole dataset with its media may be large.
MOST, LARGEST, ALL = 200_000, 256 << 20, 256 << 30
#: How much larger than the archive all members together may be, once they are larger than `HARMLESS`.
RATIO, HARMLESS = 200, 64 << 20

_BROKEN = (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)


class Member(msgspec.Struct, frozen=True):
    """A file in an archive."""

    path: str
    data: bytes

    @property
    def item(self) -> str:
        """The path as one name: `dump+annotations+a.jsonl`; what would be mistaken for a joint is escaped."""
        return self.path.replace("~", "~0").replace("+", "~1").replace("/", "+")

    @property
    def version(self) -> str:
        """A digest of the content: an export knows no times."""
        return hashlib.sha256(self.data).hexdigest()[:16]


class Archive:
    """An open archive; close it at the end."""

    def __init__(self, file: Path | IO[bytes]) -> None:
        """Open it; `harm` has found nothing in it."""
        self._zip = zipfile.ZipFile(file)
        self._left = iter([each for each in self._zip.infolist() if not each.is_dir()])

    def some(self, count: int, size: int) -> list[Member]:
        """Return the next members, at most so many, and no more once they have so many bytes; none at the end."""
        found: list[Member] = []
        total = 0
        for info in self._left:
            found.append(Member(info.filename, self._zip.read(info)))
            total += info.file_size
            if len(found) >= count or total >= size:
                break
        return found

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


def harm(archive: Path | IO[bytes]) -> str | None:
    """Return why an archive is not unpacked; None if every member is whole and harmless."""
    try:
        with zipfile.ZipFile(archive) as opened:
            reason = _harm(opened.infolist(), _size(archive))
            if reason is None:
                broken = opened.testzip()
                reason = f"{broken[:200]!r} has another checksum" if broken else None
    except _BROKEN as error:
        reason = str(error)[:200]
    return f"the archive of the export is not unpacked: {reason}" if reason else None


def _harm(members: list[zipfile.ZipInfo], size: int) -> str | None:
    if len(members) > MOST:
        return f"it has {len(members):,} members, more than {MOST:,}"
    names: set[str] = set()
    total = 0
    for member in members:
        reason = _objection(member)
        if reason is not None:
            return f"{member.orig_filename[:200]!r} {reason}"
        folded = fold(member.filename)
        if folded in names:
            return f"{member.filename[:200]!r} is there twice"
        names.add(folded)
        total += member.file_size
    if total > ALL or (total > HARMLESS and total > RATIO * size):
        return f"its {size:,} bytes would become {total:,}"
    return None


def _objection(member: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if not is_safe(member.filename.removesuffix("/")) or "\0" in member.orig_filename:
        return "is no path inside it"
    if kind and kind != (stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        return "is a link, or no file at all"
    if member.flag_bits & 1:
        return "is encrypted"
    if member.file_size > LARGEST:
        return f"has {member.file_size:,} bytes, more than {LARGEST:,}"
    return None


def _size(archive: Path | IO[bytes]) -> int:
    if isinstance(archive, Path):
        return archive.stat().st_size
    return archive.seek(0, 2)
