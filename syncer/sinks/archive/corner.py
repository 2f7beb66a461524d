"""Names in the private corner of a bucket where archives wait until they are published. Pure.

`.syncer/<stem>/<part>/…`, the stem as a digest: one corner never lies inside another one.
"""

import hashlib

from syncer.sinks.archive.names import EXTENSION, part_id

ROOT = ".syncer"


def stem_corner(stem: str, ending: str = EXTENSION) -> str:
    """Return the corner of all archives of a stem, apart from that of tables which are called alike."""
    name = stem if ending == EXTENSION else f"{stem}{ending}"
    return f"{ROOT}/{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def corner(name: str) -> str:
    """Return the corner of one archive."""
    part = part_id(name)
    return f"{stem_corner(part.stem, part.ending)}/{part.generation}-{part.number}"


def staged_name(name: str, sha256: str) -> str:
    """Return where the next state of an archive waits; its content is part of the name."""
    return f"{corner(name)}/{sha256}{part_id(name).ending}"


def segment_name(name: str, number: int) -> str:
    """Return where a piece of what grows is kept."""
    return f"{corner(name)}/{number:08d}"
