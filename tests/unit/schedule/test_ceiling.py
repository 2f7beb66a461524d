"""The ceiling for memory: what the kernel grants, and what becomes of the work as it nears."""

from pathlib import Path

import pytest

from syncer.flow.channel import Channel
from syncer.flow.room import Room
from syncer.model.events import Event, Warned
from syncer.net.limits import Slots
from syncer.schedule.ceiling import LEAST, Ceiling, Valve, resident, share_at
from syncer.schedule.cgroups import memory_limit
from tests.support.clock import InstantClock

V2 = "30 23 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "36 30 0:31 {root} /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
CPU = "37 30 0:32 / /sys/fs/cgroup/cpu rw,nosuid - cgroup cgroup rw,cpu\n"


def machine(root: Path, mounts: str, groups: str, limits: dict[str, str]) -> Path:
    """Write the files of a machine."""
    files = {"proc/self/mountinfo": mounts, "proc/self/cgroup": groups}
    files |= {f"sys/fs/cgroup/{name}": text for name, text in limits.items()}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("mounts", "groups", "limits", "limit"),
    [
        (V2.format(root="/"), "0::/a/b\n", {"a/memory.max": "300\n", "a/b/memory.max": "max\n"}, 300),
        (V2.format(root="/"), "0::/a/b\n", {"a/memory.max": "300\n", "a/b/memory.max": "200\n"}, 200),
        (V2.format(root="/"), "0::/a\n", {"a/memory.max": "300\n", "a/memory.high": "250\n"}, 250),
        (V2.format(root="/"), "0::/\n", {"memory.max": "500\n"}, 500),
        (V2.format(root="/"), "0::/../outside\n", {"memory.max": "500\n"}, 500),
        (V2.format(root="/"), "0::/a\n", {"a/memory.max": "max\n"}, None),
        (CPU + V1.format(root="/"), "4:cpu:/x\n9:memory:/a/b\n", {"memory/a/memory.limit_in_bytes": "70\n"}, 70),
        (V1.format(root="/docker/4f"), "9:memory:/docker/4f\n", {"memory/memory.limit_in_bytes": "80\n"}, 80),
        (V1.format(root="/"), "9:memory:/a\n", {"memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        (CPU, "4:cpu:/x\n", {}, None),
        ("not a line\n", "", {}, None),
    ],
)
def test_the_lowest_limit_around_the_process_counts(
    tmp_path: Path, mounts: str, groups: str, limits: dict[str, str], limit: int | None
) -> None:
    """Both versions of control groups, nested, in a container that sees only its own, and without any limit."""
    assert memory_limit(machine(tmp_path, mounts, groups, limits)) == limit


def test_a_machine_without_control_groups(tmp_path: Path) -> None:
    """No file, no limit; and the real files of this machine can be read."""
    assert memory_limit(tmp_path) is None
    assert (memory_limit() or 1) > 0
    assert resident() > 1_000_000


@pytest.mark.parametrize(("used", "share"), [(0, 1.0), (80, 1.0), (90, 0.5), (99, 0.05), (100, LEAST), (500, LEAST)])
def test_the_share_shrinks_before_the_ceiling_is_reached(used: int, share: float) -> None:
    """Up to four fifths everything may happen at once, at the ceiling hardly anything."""
    assert share_at(used, 100) == pytest.approx(share)


async def test_work_shrinks_at_once_and_grows_again_step_by_step() -> None:
    """It is said once, what was freed is given back to the system, and growth is slow enough to be measured."""
    events: list[Event] = []
    used, relieved = [50, 95, 95, 95, 95] + [10] * 40, list[int]()
    valve = Valve()
    ceiling = Ceiling(
        100, valve, InstantClock(), events.append, measure=lambda: used.pop(0), relieve=lambda: relieved.append(1)
    )
    await ceiling.look()
    assert valve() == 1.0
    await ceiling.look()
    assert valve() == pytest.approx(0.25)
    await ceiling.look()
    shares = []
    while valve() < 1:
        await ceiling.look()
        shares.append(valve())
    assert shares == sorted(shares)
    assert len(shares) >= 10
    assert [type(event) for event in events] == [Warned]
    assert len(relieved) == 2


def test_slots_channels_and_rooms_use_their_share() -> None:
    """Requests in flight, bytes in the channel and bytes that arrive follow the valve, and one is always let in."""
    valve = Valve()
    slots, channel, room = Slots(8, valve), Channel[int](1000, 99, valve), Room(1000, 1000, share=valve)
    assert [slots.take_nowait() for _ in range(4)] == [True] * 4
    valve.share = 0.5
    assert not slots.take_nowait()
    for _ in range(4):
        slots.give()
    valve.share = LEAST
    assert [slots.take_nowait(), slots.take_nowait()] == [True, False]
    assert channel._fits(900)
    assert room._fits(900)
    channel._held = room._held = 10
    assert not channel._fits(10)
    assert not room._fits(10)
