"""Units: partitions that share a container in any sink run together; and what is no longer there is frozen."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from operator import itemgetter

from syncer.flow.job import RunOptions, is_glob
from syncer.model.errors import SettingsError
from syncer.model.refs import Partition, PartitionKey
from syncer.ports import Selection, Sink, Unit


def group(partitions: Sequence[Partition], sinks: Sequence[Sink]) -> list[Unit]:
    """Return the coarsest grouping that the sinks ask for, in the order of first partitions.

    A unit is named after the sink groups that it joins; a partition alone gives its own name, so names stay
    the same when other partitions come and go.
    """
    parent: dict[object, object] = {}

    def find(node: object) -> object:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for partition in partitions:
        own = find(partition.key)
        for sink in sinks:
            theirs = find((sink.name, sink.unit_of(partition)))
            parent[theirs] = own = find(own)
    members: dict[object, list[Partition]] = {}
    for partition in partitions:
        members.setdefault(find(partition.key), []).append(partition)
    return [Unit(_name(items, sinks), tuple(items)) for items in members.values()]


def _name(partitions: Sequence[Partition], sinks: Sequence[Sink]) -> str:
    """Return the name of a unit: the shortest list of group names that covers it."""
    groups: list[list[str]] = [sorted({sink.unit_of(partition) for partition in partitions}) for sink in sinks]
    fewest = min(groups, key=len)
    return "+".join(fewest)


def in_shard(unit: Unit, shard: tuple[int, int] | None) -> bool:
    """Tell whether a unit belongs to a 0-based shard (i, n): the digest of its name, modulo n."""
    if shard is None:
        return True
    index, count = shard
    return int.from_bytes(hashlib.sha256(unit.name.encode()).digest()[:8], "big") % count == index


def check_apart(units: Sequence[Unit], sinks: Sequence[Sink], option: str) -> None:
    """Refuse several processes where two units write into one folder: names are kept apart within one only.

    Raises:
        SettingsError: two of them do; the message names both.
    """
    for sink in sinks:
        around: list[tuple[str, Unit]] = []
        places = sorted(((place, unit) for unit in units for place in sink.claims(unit)), key=itemgetter(0))
        for place, unit in places:
            while around and not _holds(around[-1][0], place):
                around.pop()
            other = next((theirs for _, theirs in around if theirs is not unit), None)
            if other is not None:
                message = f"sink {sink.name}: {other.name} and {unit.name} write into one folder; processes might meet"
                raise SettingsError(
                    message,
                    hint=f"begin `path` with what tells them apart, such as {{project}}/, or run without {option}",
                )
            around.append((place, unit))


def selected(key: PartitionKey, select: Selection, titles: Mapping[str, str]) -> bool:
    """Tell whether a partition that was synced before is still part of the selection."""
    names = [key.project, titles.get(key.project, key.project)]
    return (
        any(_matches(name, select.projects) for name in names)
        and ((key.batch is None) == (not select.batches))
        and (key.batch is None or _matches(key.batch, select.batches))
        and (key.annotation_type is None or not select.annotation_types
             or _matches(key.annotation_type, select.annotation_types))
    )  # fmt: skip


def accepted(key: PartitionKey, options: RunOptions) -> bool:
    """Tell whether the user said that the absence of a partition is a deletion (`--accept-gone`)."""
    parts = [part for part in (key.project, key.batch, key.annotation_type) if part is not None]
    return any("/".join(parts[: depth + 1]) in options.accept_gone for depth in range(len(parts)))


def _holds(outer: str, inner: str) -> bool:
    """Tell whether a claim is another one, or a folder above it."""
    return outer == inner or ((outer == "" or outer.endswith("/")) and inner.startswith(outer))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) if is_glob(pattern) else name == pattern for pattern in patterns)
