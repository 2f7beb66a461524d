"""The list of erased items beside the data, and its key: two documents, so that a reader can be denied the key."""

from collections.abc import Mapping

import msgspec

from syncer.model.errors import Conflict, DestinationChanged, NotNow
from syncer.model.suppression import Mark, Suppression
from syncer.ports import Blobs, Clock
from syncer.sinks.documents import FORMAT, decode, encode
from syncer.sinks.heads import ATTEMPTS
from syncer.sinks.owners import pause

LIST, KEY = "suppressed.json", "suppressed.key"

#: Bytes of either that are read: millions of lines.
_MAX = 256 << 20


class KeyDocument(msgspec.Struct, frozen=True):
    """`suppressed.key`: keys by name, in hex."""

    keys: Mapping[str, str]
    format: int = FORMAT


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    since: str
    lifted: str = ""


class ListDocument(msgspec.Struct, frozen=True):
    """`suppressed.json`: lines by the name of their key."""

    tokens: Mapping[str, Mapping[str, _Line]]
    format: int = FORMAT


async def read(blobs: Blobs, folder: str) -> Suppression | None:
    """Return the list with its keys; None if there is none.

    Raises:
        SettingsError: a newer version wrote it.
        DestinationChanged: it can't be read, or its key is gone: it would let everything through.
    """
    listed, _ = await _list(blobs, folder)
    if listed is None:
        return None
    keys, _ = await _keys(blobs, folder)
    missing = [name for name, lines in listed.marks.items() if lines and name not in keys]
    if missing:
        message = f"{blobs.url}/{folder}/{KEY} is gone, and with it what {LIST} means"
        raise DestinationChanged(message, hint="restore it from a copy, or bring back the state that erased: it has it")
    return Suppression(keys, listed.marks)


async def add(blobs: Blobs, folder: str, more: Suppression, clock: Clock) -> None:
    """Add keys, then lines; both documents only grow."""
    for attempt in range(ATTEMPTS):
        try:
            keys, tag = await _keys(blobs, folder)
            if not more.secrets.items() <= keys.items():
                every = {name: secret.hex() for name, secret in {**keys, **more.secrets}.items()}
                await blobs.put(f"{folder}/{KEY}", _text(KeyDocument(every)), create=tag is None, match=tag)
            listed, tag = await _list(blobs, folder)
            whole = more if listed is None else listed.merged(more)
            if listed is None or whole.marks != listed.marks:
                lines = {
                    name: {token: _Line(mark.since, mark.lifted) for token, mark in sorted(marks.items())}
                    for name, marks in whole.marks.items()
                }
                await blobs.put(f"{folder}/{LIST}", _text(ListDocument(lines)), create=tag is None, match=tag)
        except Conflict:
            await clock.sleep(pause(attempt))
            continue
        return
    message = f"{blobs.url}/{folder}/{LIST} is changed all the time by others"
    raise NotNow(message, hint="run again when fewer processes work on this destination")


async def _keys(blobs: Blobs, folder: str) -> tuple[dict[str, bytes], str | None]:
    name = f"{folder}/{KEY}"
    found = await blobs.get(name, _MAX)
    if found is None:
        return {}, None
    document = decode(found[0], KeyDocument, f"{blobs.url}/{name}")
    try:
        return {each: bytes.fromhex(text) for each, text in document.keys.items()}, found[1]
    except ValueError as error:
        raise DestinationChanged(f"{blobs.url}/{name} can't be read", hint="restore it from a copy") from error


async def _list(blobs: Blobs, folder: str) -> tuple[Suppression | None, str | None]:
    name = f"{folder}/{LIST}"
    found = await blobs.get(name, _MAX)
    if found is None:
        return None, None
    document = decode(found[0], ListDocument, f"{blobs.url}/{name}")
    marks = {
        key: {token: Mark(line.since, line.lifted) for token, line in lines.items()}
        for key, lines in document.tokens.items()
    }
    return Suppression({}, marks), found[1]


def _text(document: KeyDocument | ListDocument) -> bytes:
    return encode(msgspec.to_builtins(document))
