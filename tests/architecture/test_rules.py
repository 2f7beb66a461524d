"""Every rule that decides the semantics is held by at least one test that names it."""

import re

from tests.support.tree import every_test

#: The rules are numbered; a test that holds one has `rule_<n>` in its name.
RULES = range(1, 26)


def test_every_rule_has_a_test() -> None:
    """For each of the rules 1 to 25 at least one test has `rule_<n>` in its name."""
    named = {int(number) for _, node in every_test() for number in re.findall(r"rule_(\d+)(?!\d)", node.name)}
    missing = [number for number in RULES if number not in named]
    assert not missing, f"rules without a test: {', '.join(map(str, missing))}"


def test_no_test_names_a_rule_that_does_not_exist() -> None:
    """No test claims to hold a rule outside 1 to 25."""
    wrong = [
        f"{source.name}::{node.name}"
        for source, node in every_test()
        for number in re.findall(r"rule_(\d+)(?!\d)", node.name)
        if int(number) not in RULES
    ]
    assert not wrong
