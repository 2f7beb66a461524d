"""Names in the private corner of a bucket where archives wait until they are published. Pure.

`.syncer/<stem>/<epoch>/<part>/…`, the stem as a digest: one corner never lies inside another one. Nobody writes into
the corner of another epoch, and nobody looks into that of a later one.
"""

import hashlib

from syncer.sinks.archive.names import EXTENSION, part_id

ROOT = ".syncer"


def stem_corner(stem: str, ending: str = EXTENSION) -> str:
    """Return the corner of all archives of a stem, apart from that of tables which are called alike."""
    name = stem if ending == EXTENSION else f"{stem}{ending}"
    return f"{ROOT}/{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def corner(name: str, epoch: int) -> str:
    """Return the corner of one archive and one writer."""
    part = part_id(name)
    return f"{stem_corner(part.stem, part.ending)}/{written(epoch)}/{part.generation}-{part.number}"


def written(epoch: int) -> str:
    """Return an epoch as a name: names sort as epochs do."""
    return f"{epoch:08d}"


def epoch_of(name: str) -> int:
    """Return whose corner a name lies in; 0 for what no epoch wrote."""
    parts = name.removeprefix(f"{ROOT}/").split("/")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0


def staged_name(name: str, epoch: int, sha256: str) -> str:
    """Return where the next state of an archive waits; its content is part of the name."""
    return f"{corner(name, epoch)}/{sha256}{part_id(name).ending}"


def segment_name(name: str, epoch: int, number: int) -> str:
    """Return where a piece of what grows is kept."""
    return f"{corner(name, epoch)}/{number:08d}"
