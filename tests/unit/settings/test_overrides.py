"""Overrides of the environment and of the command line."""

from typing import Any

import pytest

from syncer.model.errors import SettingsError
from syncer.settings.overrides import from_assignments, from_environment


def _tree() -> dict[str, Any]:
    return {"platforms": {"my-Studio": {"type": "studio", "url": "x"}}, "jobs": {"a": {"sinks": ["one", {"two": {}}]}}}


def test_variables_name_places_without_regard_to_case() -> None:
    """`SYNCER__A__B` finds the key whatever its case, and `_` stands for `-`; values are typed."""
    tree = _tree()
    changed = from_environment(
        tree,
        {"SYNCER__PLATFORMS__MY_STUDIO__URL": "http://h", "SYNCER__MEMORY": "5", "SYNCER_CONFIG": "f", "OTHER": "x"},
    )
    assert tree["platforms"] == {"my-Studio": {"type": "studio", "url": "http://h"}}
    assert tree["memory"] == 5
    assert set(changed) == {("platforms", "my-Studio", "url"), ("memory",)}


def test_assignments_make_and_change_values() -> None:
    """Dotted keys reach into mappings and lists, and make mappings that are not there; later ones win."""
    tree = _tree()
    changed = from_assignments(
        tree,
        ["log.level=debug", "jobs.a.sinks.0=lake", "jobs.a.sinks.1.two.url=x=y", "log.level=error", "state={a: [1]}"],
    )
    assert tree["log"] == {"level": "error"}
    assert tree["jobs"]["a"]["sinks"] == ["lake", {"two": {"url": "x=y"}}]
    assert tree["state"] == {"a": [1]}
    assert changed[1] == ("jobs", "a", "sinks", 0)


def test_an_empty_section_can_be_filled() -> None:
    """A key that stands there without a value is like one that does not."""
    tree: dict[str, Any] = {"log": None}
    from_assignments(tree, ["log.level=debug"])
    assert tree == {"log": {"level": "debug"}}


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("platforms.x", "expected KEY=VALUE"),
        ("=5", "expected KEY=VALUE"),
        ("a..b=1", "an empty part in the key"),
        (".a=1", "an empty part in the key"),
        ("platforms.my-Studio.url.host=1", "platforms.my-Studio.url is a plain value and has no parts"),
        ("jobs.a.sinks.7=x", "jobs.a.sinks is a list of 2; '7' is none of its places"),
        ("jobs.a.sinks.x=x", "is a list of 2; 'x' is none of its places"),
    ],
)
def test_assignments_that_make_no_sense_are_refused(assignment: str, words: str) -> None:
    """A malformed assignment, or one into a plain value or past a list, is a settings error."""
    with pytest.raises(SettingsError) as caught:
        from_assignments(_tree(), [assignment])
    assert words in str(caught.value)


def test_a_variable_that_makes_no_sense_is_named() -> None:
    """The message names the variable."""
    with pytest.raises(SettingsError, match="environment variable SYNCER__A____B: an empty part"):
        from_environment({}, {"SYNCER__A____B": "1"})


def test_the_value_of_a_malformed_assignment_is_not_repeated() -> None:
    """It may be a credential."""
    with pytest.raises(SettingsError) as caught:
        from_assignments({}, ["=hunter2-hunter2"])
    assert "hunter2" not in str(caught.value)
