"""PostgreSQL's spelling of the statements in `state/tables`. Pure."""

import re
from functools import lru_cache

_PLACEHOLDER = re.compile(r"\?(\d*)")
_LIST = re.compile(r"json_each\(([^()]*)\)")


@lru_cache(maxsize=512)
def native(statement: str) -> str:
    """Return a statement with numbered placeholders (`$1`), and lists as PostgreSQL takes them apart."""
    statement = _LIST.sub(r"json_array_elements_text(CAST(\1 AS json))", statement)
    count = 0

    def numbered(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"${match[1] or count}"

    return _PLACEHOLDER.sub(numbered, statement)
