"""Which of the waiting jobs begins next. Pure.

Slots are few, and jobs of one platform share its limits anyway: a second one brings little, a tenth nothing. So a
platform takes only the slots that remain when every other platform that has jobs is left one: with four slots and
three platforms, two at most. Of the platforms that wait, the one whose last job began longest ago comes first; of its
jobs, the one that waits longest. Jobs of one platform, however many and however long they run, never hold up those of
another, as long as there are as many slots as platforms; with fewer, platforms take turns.
"""

from collections.abc import Collection, Mapping

import msgspec


class Waiting(msgspec.Struct, frozen=True):
    """A job that is due."""

    job: str
    platform: str
    #: Since when, by a clock that never runs backwards.
    since: float


def most(slots: int, platforms: int) -> int:
    """Return how many slots one platform may take."""
    return max(1, slots - max(0, platforms - 1))


def choose(
    waiting: Collection[Waiting], running: Mapping[str, int], began: Mapping[str, float], slots: int, platforms: int
) -> Waiting | None:
    """Return the job that begins next; None if none may.

    Args:
        waiting: Jobs that are due; those of platforms that are left alone are not among them.
        running: Jobs that run, by platform.
        began: When a job of a platform last began.
        slots: Jobs that may run at once.
        platforms: Platforms that have jobs at all.
    """
    if sum(running.values()) >= slots:
        return None
    bound = most(slots, platforms)
    able = [each for each in waiting if running.get(each.platform, 0) < bound]
    return min(able, key=lambda each: (began.get(each.platform, -1.0), each.since, each.job), default=None)
