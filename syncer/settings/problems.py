"""What is wrong with a configuration: every problem with its dotted path, listed at once."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from syncer.model.errors import SettingsError

#: Where a value stands in the tree: `("jobs", "highway", "sinks", 0)`.
Place = tuple[str | int, ...]


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong, where, and what to do."""

    #: Dotted path (`jobs.highway.select`); empty for the file as a whole.
    path: str
    message: str
    hint: str | None = None
    #: Line of the file, from 1, where it is known.
    line: int | None = None


class SettingsRefused(SettingsError):
    """The configuration has problems; `problems` lists all of them, the message one a line."""

    def __init__(self, problems: Iterable[Problem], file: Path | None = None) -> None:
        """Take the problems and the file that they stand in."""
        self.problems = tuple(problems)
        self.file = file
        hints = list(dict.fromkeys(problem.hint for problem in self.problems if problem.hint))
        super().__init__("\n".join(self._line(problem) for problem in self.problems), hint="\n".join(hints) or None)

    def _line(self, problem: Problem) -> str:
        text = f"{problem.path}: {problem.message}" if problem.path else problem.message
        if self.file is None or not problem.line:
            return text
        return f"{text} ({self.file.name}, line {problem.line})"


class Problems(msgspec.Struct):
    """Collects problems while a configuration is read, so that the reader fixes them in one go."""

    #: Line of each place of the file; 0 for a value that comes from elsewhere.
    lines: Mapping[Place, int] = msgspec.field(default_factory=dict)
    file: Path | None = None
    found: list[Problem] = msgspec.field(default_factory=list)

    def add(self, place: Place, message: str, hint: str | None = None) -> None:
        """Note one problem; a second one with the same words at the same place is dropped."""
        problem = Problem(dotted(place), message, hint, self._line(place))
        if problem not in self.found:
            self.found.append(problem)

    def below(self, place: Place) -> bool:
        """Tell whether something at or below a place is already known to be wrong."""
        path = dotted(place)
        return any(problem.path == path or problem.path.startswith(f"{path}.") for problem in self.found)

    def refuse(self) -> None:
        """Stop if there is a problem.

        Raises:
            SettingsRefused: with all problems, in the order of the file.
        """
        if self.found:
            raise SettingsRefused(sorted(self.found, key=lambda problem: problem.line or 0), self.file)

    def _line(self, place: Place) -> int | None:
        while place:
            if place in self.lines:
                return self.lines[place]
            place = place[:-1]
        return None


def dotted(place: Place) -> str:
    """Return a place as people write it: `jobs.highway.sinks.0`."""
    return ".".join(str(part) for part in place)


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that a misspelled name most likely means."""
    known = {candidate.casefold(): candidate for candidate in candidates}
    matches = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    return known[matches[0]] if matches else None


def suggestion(name: str, candidates: Iterable[str], *, nothing: str = "none is configured") -> str:
    """Return the end of a message about an unknown name: the likely one, else all that there are."""
    choices = sorted(candidates)
    likely = closest(name, choices)
    if likely is not None:
        return f"did you mean '{likely}'?"
    return f"known: {', '.join(choices)}" if choices else nothing
