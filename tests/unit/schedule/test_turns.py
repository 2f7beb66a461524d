"""Who begins next: fair to platforms, and to the jobs of each."""

from syncer.schedule.turns import Waiting, choose, most


def simulated(platforms: dict[str, list[int]], slots: int, until: int) -> dict[str, list[int]]:
    """Run jobs that are always due; return how long those of each platform waited, in steps."""
    waiting = [Waiting(f"{name}-{n}", name, 0) for name, jobs in platforms.items() for n in range(len(jobs))]
    running: list[tuple[int, Waiting]] = []
    began: dict[str, float] = {}
    waits: dict[str, list[int]] = {name: [] for name in platforms}
    for now in range(until):
        for end, each in list(running):
            if end == now:
                running.remove((end, each))
                waiting.append(Waiting(each.job, each.platform, now))
        counts = {name: sum(each.platform == name for _, each in running) for name in platforms}
        while (chosen := choose(waiting, counts, began, slots, len(platforms))) is not None:
            waiting.remove(chosen)
            counts[chosen.platform] += 1
            began[chosen.platform] = now
            waits[chosen.platform].append(now - int(chosen.since))
            number = int(chosen.job.rpartition("-")[2])
            running.append((now + platforms[chosen.platform][number], chosen))
        assert len(running) <= slots
    return waits


def test_many_long_jobs_of_one_platform_leave_room() -> None:
    """Forty jobs that take a thousand steps each never make another platform's job wait."""
    waits = simulated({"crowd": [1000] * 40, "small": [10]}, slots=4, until=5000)
    assert max(waits["small"]) == 0
    assert len(waits["small"]) == 500
    assert len(waits["crowd"]) > 10


def test_platforms_take_turns_where_slots_are_few() -> None:
    """With one slot for three platforms each of them gets a third of the runs, whatever it has to do."""
    waits = simulated({"crowd": [5] * 20, "few": [5] * 2, "one": [5]}, slots=1, until=3000)
    assert {name: len(found) for name, found in waits.items()} == {"crowd": 200, "few": 200, "one": 200}


def test_within_a_platform_the_longest_wait_ends_first() -> None:
    """Jobs of one platform come in the order in which they became due."""
    waiting = [Waiting("late", "p", 5), Waiting("early", "p", 1), Waiting("middle", "p", 3)]
    order: list[str] = []
    while (chosen := choose(waiting, {}, {}, 2, 1)) is not None:
        waiting.remove(chosen)
        order.append(chosen.job)
    assert order == ["early", "middle", "late"]


def test_slots_are_left_for_others() -> None:
    """A platform takes what the others do not need, and one slot at least."""
    assert [most(4, platforms) for platforms in (1, 2, 3, 4, 9)] == [4, 3, 2, 1, 1]
    assert choose([Waiting("a", "p", 0)], {"p": 2}, {}, 4, 3) is None
    assert choose([Waiting("a", "p", 0)], {"q": 4}, {}, 4, 3) is None
