"""When two claims on a destination meet. Pure."""


def absolute(root: str, path: str) -> str:
    """Return a claim as one URL: a directory prefix ends with a slash, an archive's name does not."""
    return f"{root.rstrip('/')}/{path}"


def overlap(one: str, other: str) -> bool:
    """Tell whether one of two claims equals or contains the other.

    A directory prefix contains everything below it, archives included; an archive contains nothing but itself.
    """
    if one == other:
        return True
    return (one.endswith("/") and other.startswith(one)) or (other.endswith("/") and one.startswith(other))
