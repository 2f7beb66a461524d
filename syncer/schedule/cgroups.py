"""The memory that the kernel grants this process: limits of its control groups, both versions, nested."""

from collections.abc import Iterator
from pathlib import Path

#: A number this large is version 1's way to say that there is no limit.
_NONE = 1 << 60

#: Where limits stand, by the type of the mounted file system.
_FILES = {"cgroup2": ("memory.max", "memory.high"), "cgroup": ("memory.limit_in_bytes",)}


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the lowest limit of this process's control group and all those around it, in bytes; None: there is none.

    `root` is for tests: a folder with the files of another machine.
    """
    limits = [limit for group, files in _groups(root) for limit in _limits(group, files)]
    return min(limits, default=None)


def _groups(root: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield the folders of this process's groups, from the inside out, and the files that may hold limits there."""
    belongs = _memberships(root)
    for line in _read(root / "proc/self/mountinfo").splitlines():
        # 34 28 0:30 /docker/4f2a /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in _FILES:  # noqa: PLR2004  # as in the line above
            continue
        if kind[0] == "cgroup" and "memory" not in kind[2].split(","):
            continue
        mounted, place = fields[3], root / fields[4].lstrip("/")
        path = belongs.get(kind[0])
        if path is None:
            continue
        # In a container the mount may begin at the container's own group, or show paths of the machine outside.
        inside = path.removeprefix(mounted.rstrip("/")) if (path + "/").startswith(mounted.rstrip("/") + "/") else ""
        group = place / inside.strip("/")
        while True:
            yield group, _FILES[kind[0]]
            if group == place:
                break
            group = group.parent


def _memberships(root: Path) -> dict[str, str]:
    """Return the path of this process's group by version."""
    found: dict[str, str] = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            found["cgroup2"] = path
        elif "memory" in controllers.split(","):
            found["cgroup"] = path
    return found


def _limits(group: Path, files: tuple[str, ...]) -> Iterator[int]:
    for name in files:
        text = _read(group / name).strip()
        if text.isdecimal() and int(text) < _NONE:
            yield int(text)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # another system, or not for us to see: no limit is known
        return ""
