"""The listing of a linking platform, as a script would read it."""

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen


def pages(url: str, token: str, items: int) -> Iterator[list[tuple[str, str]]]:
    """Yield id and link of the first items, a listing of a thousand at a time."""
    start = 0
    while start < items:
        asked = Request(f"{url}/items?limit=1000&cursor={start}", headers={"Authorization": f"Bearer {token}"})  # noqa: S310  # our own server
        with urlopen(asked) as answer:  # noqa: S310  # same
            page = json.load(answer)
        assert page["items"], f"the platform has only {start} items"
        yield [(row["id"], row["url"]) for row in page["items"][: items - start]]
        start += len(page["items"])
