"""A Dockerfile as data: its instructions by stage, in the forms that ours has."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

#: Instructions that are read as `NAME=VALUE …`.
_PAIRS = frozenset({"ENV", "LABEL", "ARG"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `COPY --from=build /a /b`."""

    word: str
    #: What follows, the lines joined, without the flags.
    rest: str
    #: `--from=build` as `{"from": "build"}`.
    flags: Mapping[str, str]

    def words(self) -> list[str]:
        """Return the words of the exec form, or those of a COPY.

        Raises:
            ValueError: a command is in shell form.
        """
        if self.word in {"RUN", "CMD", "ENTRYPOINT"}:
            found: list[str] = json.loads(self.rest)
            return found
        return shlex.split(self.rest)

    def pairs(self, known: Mapping[str, str]) -> dict[str, str]:
        """Return the values of ENV, LABEL or ARG, variables filled in."""
        assert self.word in _PAIRS
        found = (word.partition("=") for word in shlex.split(self.rest))
        return {name: Template(value).substitute(known) for name, _, value in found}


@dataclass(slots=True)
class Stage:
    """What stands between a FROM and the next."""

    #: The image that it begins with, arguments filled in.
    origin: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, word: str) -> Instruction:
        """Return the last instruction of a kind: the one that counts."""
        return [each for each in self.instructions if each.word == word][-1]

    def pairs(self, word: str, known: Mapping[str, str]) -> dict[str, str]:
        """Return all values of one kind, arguments of this stage and earlier values filled in."""
        found: dict[str, str] = {}
        arguments: dict[str, str] = {}
        for each in self.instructions:
            if each.word == "ARG":
                arguments |= each.pairs({})
            if each.word == word:
                found |= each.pairs({**known, **arguments, **found})
        return found

    def healthcheck(self) -> list[str]:
        """Return the command that tells whether a container is well."""
        word, _, command = self.last("HEALTHCHECK").rest.partition(" ")
        assert word == "CMD"
        found: list[str] = json.loads(command)
        return found


def instructions(path: Path) -> Iterator[Instruction]:
    """Yield the instructions of a file, in order."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if not word:
            continue
        flags: dict[str, str] = {}
        while rest.lstrip().startswith("--"):
            flag, _, rest = rest.strip().partition(" ")
            name, _, value = flag.removeprefix("--").partition("=")
            flags[name] = value
        yield Instruction(word, rest.strip(), flags)


def stages(path: Path) -> Sequence[Stage]:
    """Return the stages of a file, in order."""
    found: list[Stage] = []
    arguments: dict[str, str] = {}
    for each in instructions(path):
        if each.word == "FROM":
            origin, _, name = each.rest.partition(" AS ")
            found.append(Stage(Template(origin).substitute(arguments), name))
        elif found:
            found[-1].instructions.append(each)
        else:
            arguments |= each.pairs({})
    return found


def sent(folder: Path) -> set[str]:
    """Return what `.dockerignore` lets through, by name: it refuses everything first."""
    lines = [line for line in (folder / ".dockerignore").read_text("utf-8").splitlines() if line]
    rules: Any = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    return {line.removeprefix("!") for line in rules if line.startswith("!")}
