"""Lists of problems and the guesses in them."""

from pathlib import Path

import pytest

from syncer.model.errors import Exit
from syncer.settings.problems import Problem, Problems, SettingsRefused, closest, suggestion


def test_a_close_name_is_suggested() -> None:
    """A slip of the finger is met with the likely name, in its own spelling; anything else with what there is."""
    assert closest("Kognik", ["kognic", "studio"]) == "kognic"
    assert closest("LAKE", ["Lake"]) == "Lake"
    assert suggestion("xyz", ["b", "a"]) == "known: a, b"
    assert suggestion("xyz", []) == "none is configured"


def test_rule_21_a_refusal_lists_everything_once_and_is_78() -> None:
    """Same words at the same place stand once; problems follow the order of the file; hints are joined."""
    problems = Problems({("b",): 2, ("a",): 7}, Path("/etc/syncer.yaml"))
    problems.add(("a", "x", 0), "wrong", "do this")
    problems.add(("b",), "bad", "do that")
    problems.add(("b",), "bad")
    problems.add(("a", "x", 0), "wrong", "do this")
    with pytest.raises(SettingsRefused) as caught:
        problems.refuse()
    assert str(caught.value).splitlines()[-1] == "a.x.0: wrong (syncer.yaml, line 7)"
    assert caught.value.hint == "do that\ndo this"
    assert caught.value.exit_code is Exit.SETTINGS
    assert caught.value.problems[-1] == Problem("a.x.0", "wrong", "do this", 7)


def test_no_problem_is_no_refusal() -> None:
    """Nothing happens without a problem."""
    problems = Problems()
    problems.refuse()
    assert not problems.below(())


def test_places_below_a_problem_are_known() -> None:
    """A problem covers its own place and those that contain it, not its neighbours."""
    problems = Problems()
    problems.add(("jobs", "a", "select"), "wrong")
    assert problems.below(("jobs", "a"))
    assert problems.below(("jobs", "a", "select"))
    assert not problems.below(("jobs", "ab"))
    assert not problems.below(("jobs", "a", "select", "x"))
