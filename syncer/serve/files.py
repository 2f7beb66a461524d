"""Style, script and icon of the page: files of this package, read once, named by their content."""

from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from importlib.resources import files

import msgspec

from syncer.serve.html import Markup, element, join

#: Media types by name of the file.
_TYPES: Mapping[str, str] = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Asset(msgspec.Struct, frozen=True):
    """One file."""

    body: bytes
    media_type: str
    #: Changes with the content, so that browsers may keep it for good.
    tag: str


class Assets(msgspec.Struct, frozen=True):
    """All of them, by the name that they are served under."""

    files: Mapping[str, Asset]

    def head(self, *, script: bool) -> Markup:
        """Return what the head of a page needs."""
        return join(
            [
                element("link", rel="stylesheet", href=self._address("page.css")),
                element("link", rel="icon", type="image/svg+xml", href=self._address("icon.svg")),
                element("script", src=self._address("page.js"), defer=True) if script else None,
            ]
        )

    def _address(self, name: str) -> str:
        return f"/assets/{name}?{self.files[name].tag}"


@cache
def load_assets() -> Assets:
    """Read the files. Blocks, once: call it from a thread."""
    found: dict[str, Asset] = {}
    for name, media_type in _TYPES.items():
        body = files("syncer.serve").joinpath("assets", name).read_bytes()
        found[name] = Asset(body, media_type, blake2b(body, digest_size=6).hexdigest())
    return Assets(found)
