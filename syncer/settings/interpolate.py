"""`${NAME}` and `${NAME:-default}` inside the texts of a configuration. Pure."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:(\$)(?=\{)|\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}|(\{[^}]*\}?))")


class Missing(ValueError):
    """A variable is not set and no default stands beside it, or a reference can't be read."""


def interpolate(text: str, environ: Mapping[str, str]) -> str:
    """Replace the references in a text; `$${` stands for a plain `${`.

    As in a shell, `:-` also covers a variable that is set and empty.

    Raises:
        Missing: the message names the variable, or shows the malformed reference.
    """

    def value(match: re.Match[str]) -> str:
        escaped, name, has_default, default, malformed = match.groups()
        if escaped:
            return "$"
        if malformed:
            message = f"can't read ${malformed[:40]}: write ${{NAME}} or ${{NAME:-default}}, and $${{ for a plain ${{"
            raise Missing(message)
        found = environ.get(name)
        if has_default is not None:
            return found or default
        if found is None:
            message = f"environment variable {name} is not set"
            raise Missing(message)
        return found

    return _REFERENCE.sub(value, text)


def is_reference(text: str) -> bool:
    """Tell whether a text holds a reference."""
    return any(not match[1] for match in _REFERENCE.finditer(text))
