"""Names inside a destination, as a ledger keeps them: short keys, settled paths, and their places. Pure."""

from functools import lru_cache
from hashlib import sha256

from syncer.model.paths import fold, suffixed
from syncer.model.refs import ItemKey, PartitionKey

#: Suffixes on suffixes: more than this many other items would have to spell the first ones out.
_DEPTH = 8

#: Begins what stands for NUL, at which databases end a text, and for itself: nobody gave this character a meaning.
NUL = "\U0010fffe"


def short(key: ItemKey) -> str:
    """Return what is left of a key inside its partition: `kind/item`."""
    item = key.item
    if "\0" in item or NUL in item:
        item = item.replace(NUL, f"{NUL}1").replace("\0", f"{NUL}0")
    return f"{_quoted(key.kind)}/{item}"


def item_key(partition: PartitionKey, text: str) -> ItemKey:
    """Read what `short` wrote."""
    kind, _, item = text.partition("/")
    if NUL in item:
        item = item.replace(f"{NUL}0", "\0").replace(f"{NUL}1", NUL)
    return ItemKey(_unquoted(kind), partition.project, partition.batch, partition.annotation_type, item)


def place_of(scope: str, path: str) -> int:
    """Return the 64 bits that two paths of one scope share only if they are one file on some file system."""
    return int.from_bytes(
        sha256(f"{scope}\0{fold(path)}".encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True
    )


def keeps(settled: str, wish: str, canonical: str) -> bool:
    """Tell whether a path that was settled before is what this wish leads to, with or without suffixes."""
    if settled == wish:
        return True
    path = wish
    for _ in range(_DEPTH):
        path = suffixed(path, canonical)
        if path == settled:
            return True
    return False


@lru_cache(maxsize=256)
def _quoted(kind: str) -> str:
    return kind.replace("%", "%25").replace("/", "%2f")


@lru_cache(maxsize=256)
def _unquoted(kind: str) -> str:
    return kind.replace("%2f", "/").replace("%25", "%")
