"""Values as plain dictionaries: what documents, logs and tables show of them."""

from typing import Any

import msgspec


def asdict(value: msgspec.Struct) -> dict[str, Any]:
    """Return the fields of a value by name, values in it alike; everything else as it is."""
    return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return asdict(value)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(map(_plain, value))
    if type(value) is dict:
        return {key: _plain(each) for key, each in value.items()}
    return value
