"""Names inside a destination: what is safe, and when two of them collide. Pure."""

import hashlib
import re
import unicodedata

#: Longest segment, in bytes of UTF-8. File systems stop at 255; suffixes and temporary names need room.
MAX_SEGMENT = 200

#: Folder of the manifest at the root of every destination; never an item's.
MANIFEST_FOLDER = "_manifest"

_UNSAFE = re.compile(r"[^\w.=@+ ()\[\],~!#$%&'{}^`-]", re.UNICODE)
#: What most segments are: ASCII, no longer than allowed, and by their first characters neither reserved nor hidden.
_PLAIN = re.compile(r"(?:[0-9]|[A-Za-z][\w=@+-]{4})[\w.=@+-]{0,190}(?<!\.)", re.ASCII)
#: Names that Windows reserves, with or without an extension.
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$")


def fold(path: str) -> str:
    """Return the form under which two paths are one file on some file system: NFC, casefolded."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def digest8(canonical: str) -> str:
    """Return 8 hex digits that stand for a canonical key."""
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def suffixed(path: str, canonical: str) -> str:
    """Return the path with `~<8 hex>` before its extensions: `a/b.json` becomes `a/b~1a2b3c4d.json`."""
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = _split(name)
    return f"{folder}{slash}{stem}~{digest8(canonical)}{dot}{extension}"


def is_plain(text: str) -> bool:
    """Tell whether `clean_segment` returns a text as it is, for most of those that it does."""
    return _PLAIN.fullmatch(text) is not None


def clean_segment(text: str, canonical: str) -> str:
    """Return one path segment that every file system and store takes.

    A text that is safe as it stands is returned unchanged. Any other is cleaned and gets `~<8 hex of
    sha256(key)>`, so that two different texts never become one.
    """
    if _PLAIN.fullmatch(text):
        return text
    composed = unicodedata.normalize("NFC", text)
    safe = _UNSAFE.sub("_", composed)
    safe = safe.lstrip(" ").rstrip(" .") if safe.strip(" .") else safe.replace(".", "_").replace(" ", "_")
    if _RESERVED.match(safe) or safe.startswith(".") or fold(safe).startswith(MANIFEST_FOLDER):
        safe = f"_{safe}"
    if safe == text and len(safe.encode()) <= MAX_SEGMENT and safe:
        return safe
    stem, dot, extension = _split(safe)
    tail = f"~{digest8(canonical)}{dot}{extension}"
    room = MAX_SEGMENT - len(tail.encode())
    if room < 1:
        tail, room, stem = f"~{digest8(canonical)}", MAX_SEGMENT - 9, safe
    return stem.encode()[:room].decode("utf-8", "ignore") + tail


#: Segments that lead out of a path, or to nothing; a drive of Windows.
_NOWHERE = frozenset({"", ".", ".."})
_DRIVE = re.compile(r"[A-Za-z]:")


def is_safe(path: str) -> bool:
    """Tell whether a relative path stays below its root on any platform; for names read back from a manifest."""
    if not path or "\\" in path or "\0" in path or path.startswith("/") or _DRIVE.match(path):
        return False
    return _NOWHERE.isdisjoint(path.split("/"))


def _split(name: str) -> tuple[str, str, str]:
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > 16:  # noqa: PLR2004  # longer than any real extension
        return name, "", ""
    return stem, dot, extension
