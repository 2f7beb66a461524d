"""The command line as the tests of documents see it: is this a command, are these its options?"""

import inspect
import shlex
from collections.abc import Sequence
from typing import Any

from cyclopts import App

from syncer.cli.tree import app, hoisted


def parsed(line: str | Sequence[str]) -> Any:
    """Return what a command line, `syncer …` with or without a comment, binds to its command; run nothing.

    Raises:
        CycloptsError: there is no such command, or it does not take these words.
    """
    words = shlex.split(line, comments=True) if isinstance(line, str) else list(line)
    assert words[0] == "syncer", line
    command, bound, unknown = app.parse_args(hoisted(words[1:]), exit_on_error=False, print_error=False)
    assert inspect.isfunction(command), f"{line!r} names no command"
    assert not unknown
    return bound.arguments


def options() -> set[str]:
    """Return the options of all commands."""
    return {
        name for each in _leaves(app) for argument in each.assemble_argument_collection() for name in argument.names
    }


def _leaves(group: App) -> list[App]:
    found = [group[name] for name in group if not name.startswith("-")]
    return [leaf for each in found for leaf in (_leaves(each) if each.default_command is None else [each])]
