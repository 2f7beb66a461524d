"""Where two claims on a destination can meet. Pure."""


def absolute(root: str, path: str) -> str:
    """Return a claim as one URL: a directory prefix ends with a slash, an archive's name does not."""
    return f"{root.rstrip('/')}/{path}"


def around(place: str) -> list[str]:
    """Return the claims that would contain a place: itself, and every directory prefix above it."""
    slashes = [number for number, character in enumerate(place) if character == "/"]
    return list(dict.fromkeys([*(place[: number + 1] for number in slashes), place]))


def below(place: str) -> tuple[str, str]:
    """Return the bounds (first, end) of the claims that a place would contain; an archive contains nothing."""
    # "0" follows "/": everything that begins with the prefix sorts between the two.
    return (place, f"{place[:-1]}0") if place.endswith("/") else (place, place)
