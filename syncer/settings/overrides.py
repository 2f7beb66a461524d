"""What overrides the file: `SYNCER__A__B=…` variables, then `--set a.b=…`. Later ones win."""

from collections.abc import Iterable, Mapping
from typing import Any

from syncer.model.errors import SettingsError
from syncer.settings.document import scalar
from syncer.settings.problems import Place

#: Variables that start with this override one value each; `__` stands for the dot.
PREFIX = "SYNCER__"


def from_environment(tree: dict[str, Any], environ: Mapping[str, str]) -> list[Place]:
    """Apply `SYNCER__PLATFORMS__STUDIO__URL=…` variables, in alphabetical order, to the tree; return what they changed.

    Parts are matched to keys of the file without regard to case, and `_` also stands for `-`.

    Raises:
        SettingsError: a variable names nothing, or a part of a plain value.
    """
    return [
        _assign(
            tree,
            variable[len(PREFIX) :].split("__"),
            scalar(environ[variable]),
            f"environment variable {variable}",
            fold=True,
        )
        for variable in sorted(environ)
        if variable.upper().startswith(PREFIX)
    ]


def from_assignments(tree: dict[str, Any], assignments: Iterable[str]) -> list[Place]:
    """Apply `--set KEY=VALUE` assignments, in order, values typed as in YAML, to the tree; return what they changed.

    Raises:
        SettingsError: one is not of that form, or names a part of a plain value.
    """
    changed: list[Place] = []
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            # Only the key is shown: the value may be a credential.
            message = f"--set {key[:80]!r}: expected KEY=VALUE, such as platforms.studio.url=http://localhost:8080"
            raise SettingsError(message)
        changed.append(_assign(tree, key.strip().split("."), scalar(text), f"--set {key.strip()}", fold=False))
    return changed


def _assign(tree: dict[str, Any], parts: list[str], value: Any, what: str, *, fold: bool) -> Place:  # noqa: ANN401  # any YAML value
    if not all(parts):
        message = f"{what}: an empty part in the key"
        raise SettingsError(message, hint="separate the parts by one dot, or by two underscores in a variable")
    here: Any = tree
    place: list[str | int] = []
    for depth, part in enumerate(parts):
        key: str | int = part
        if isinstance(here, list):
            if not part.isdecimal() or int(part) >= len(here):
                path = ".".join(parts[:depth])
                message = f"{what}: {path} is a list of {len(here)}; {part[:40]!r} is none of its places"
                raise SettingsError(message)
            key = int(part)
        elif not isinstance(here, dict):
            message = f"{what}: {'.'.join(parts[:depth])} is a plain value and has no parts"
            raise SettingsError(message)
        elif fold:
            key = _key(here, part)
        place.append(key)
        if depth == len(parts) - 1:
            here[key] = value
        elif isinstance(here, list) or here.get(key) is not None:
            here = here[key]
        else:
            here[key] = {}
            here = here[key]
    return tuple(place)


def _key(mapping: Mapping[str, Any], part: str) -> str:
    wanted = _folded(part)
    return next((key for key in mapping if _folded(key) == wanted), part.lower())


def _folded(text: str) -> str:
    return text.casefold().replace("-", "_")
