"""What `syncer` is compared with, each a process of its own: `python -m tests.bench.contestants NAME URL TOKEN …`.

Every one prints a line of JSON with the items that it handled and the seconds from its first request to its end. Loops
that go one by one stop after a while: their rate is known long before they are done.
"""

import json
import sys
from collections.abc import Callable, Mapping

from tests.bench.contestants.aiohttp_loop import bare
from tests.bench.contestants.one_by_one import kognic, serial, studio_loop, studio_pages

#: The rest of the words is each contestant's own.
CONTESTANTS: Mapping[str, Callable[..., tuple[int, float]]] = {
    each.__name__: each for each in (bare, kognic, serial, studio_loop, studio_pages)
}

if __name__ == "__main__":
    handled, seconds = CONTESTANTS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"items": handled, "seconds": seconds}))
