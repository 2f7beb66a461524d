"""Files stay small enough to be read in one go, and are named after what they hold."""

import re

from tests.support.tree import sources

#: Lines of a file of the package.
LONGEST = 300

#: Names that say nothing about what a file holds.
EMPTY_NAMES = re.compile(r"^_*(utils?|helpers?|base|managers?|common|misc)$")


def test_no_file_is_too_long() -> None:
    """No file of the package has more than 300 lines."""
    long = {source.name: count for source in sources("syncer") if (count := len(source.text.splitlines())) > LONGEST}
    assert not long


def test_no_file_has_an_empty_name() -> None:
    """No file or folder is called utils, helpers, base, manager or common."""
    bad = [
        source.name
        for folder in ("syncer", "tests")
        for source in sources(folder)
        for part in source.name.removesuffix(".py").split("/")
        if any(EMPTY_NAMES.match(word) for word in part.split("_") if word)
    ]
    assert not bad
