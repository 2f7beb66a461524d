"""systemd's unit files as data: settings may repeat, so each has a list of values."""

from collections.abc import Mapping
from pathlib import Path


def unit(path: Path) -> Mapping[str, Mapping[str, list[str]]]:
    """Return the sections of a unit file; an empty value starts the list of a setting anew, as systemd does it."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            values = section.setdefault(name, [])
            values.append(value)
            if not value:
                values.clear()
    return found
