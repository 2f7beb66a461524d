"""Addresses of files in the data of a task: which values are some, what each is called, and how it is asked for. Pure.

The server's own routes see the credential; an object of its storage (`s3://…`) is asked of the server, which has the
key to it; everything else is somebody else's, and sees nothing of ours.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Raw

from syncer.model.errors import Unsafe
from syncer.model.refs import MEDIA, AnnotationRef, GroupKey, ItemKey
from syncer.net.guard import origin_of
from syncer.ports import Authenticator, Request
from syncer.sources.label_studio.rows import LONGEST_PATH, Task, basename, moment_of

#: Routes of the server that serve files; no other path of it is ever asked for because a task's data names it.
ROUTES = ("/data/upload/", "/data/local-files/")
#: Objects in a storage that is connected to a project.
STORAGES = ("s3://", "gs://", "azure-blob://", "azure-spi://")
#: Attempts for a file: the server answers 500, for ever, for one that it does not have.
ATTEMPTS = 3
#: Stands between the id of a task and the place of a file in its data.
JOINT = "."

_STRING = msgspec.json.Decoder(str)
_LIST = msgspec.json.Decoder(list[Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


class Files(msgspec.Struct, frozen=True):
    """Finds the files of tasks."""

    #: Address of the server, without a slash at the end.
    url: str
    #: The only keys of the data that count; empty: all.
    keys: frozenset[str] = frozenset()

    def refs(self, project: str, task: Task) -> tuple[AnnotationRef, ...]:
        """Return the files of a task as items; their versions follow their addresses."""
        return tuple(
            AnnotationRef(
                ItemKey(MEDIA, project, None, None, f"{task.id}{JOINT}{name}"),
                hashlib.sha256(address.encode()).hexdigest()[:16],
                moment_of(task.created_at),
                fields=_fields(task, address),
                hint=address,
                group=GroupKey(str(task.id)),
                media_type="application/octet-stream",
            )
            for name, address in self._found(task.data)
        )

    def _found(self, data: Raw) -> Iterator[tuple[str, str]]:
        """Yield places and addresses: values of keys, and of lists and the objects in them."""
        for key, value in _members(data):
            if self.keys and key not in self.keys:
                continue
            yield from self._address(value, _escaped(key))
            if _begins(value, b"["):
                for place, each in enumerate(_LIST.decode(value)):
                    name = f"{_escaped(key)}{JOINT}{place}"
                    yield from self._address(each, name)
                    for inner, text in _members(each):
                        yield from self._address(text, f"{name}{JOINT}{_escaped(inner)}")

    def _address(self, value: Raw, name: str) -> Iterator[tuple[str, str]]:
        """Yield a place with its address, if a value is one."""
        if len(memoryview(value)) <= LONGEST_PATH and _begins(value, b'"'):
            text = _STRING.decode(value)
            if self._is_address(text):
                yield name, text

    def _is_address(self, text: str) -> bool:
        if text.startswith(STORAGES):
            return text.isprintable()
        if " " in text or not text.isprintable():
            return False
        if text.startswith("/"):
            return _route(text, self.url) is not None
        with suppress(Unsafe):
            return bool(origin_of(text))
        return False


def task_of(item: str) -> str:
    """Return the id of the task that a file belongs to; empty if it names none."""
    task, joint, name = item.partition(JOINT)
    return task if joint and name and task.isdecimal() else ""


def request_for(address: str, task: str, url: str, auth: Authenticator) -> Request:
    """Return how a file is asked for; `url` is that of the server."""
    if address.startswith(STORAGES):
        encoded = base64.urlsafe_b64encode(address.encode()).decode()
        return Request(f"{url}/tasks/{task}/resolve/", params=[("fileuri", encoded)], auth=auth, attempts=ATTEMPTS)
    path = address
    if not address.startswith("/"):
        parts = urlsplit(address)
        path = parts._replace(scheme="", netloc="").geturl() if origin_of(address) == origin_of(url) else ""
    route = _route(path, url)
    return Request(address, content=True) if route is None else Request(f"{url}{route}", auth=auth, attempts=ATTEMPTS)


def _route(path: str, url: str) -> str | None:
    """Return a path below the server's address if it stays below one of the routes for files, however it is spelt."""
    # A server below a path writes that into addresses, or not.
    path = path.removeprefix(urlsplit(url).path)
    plain = unquote(path.partition("?")[0]).replace("\\", "/")
    return path if path.startswith(ROUTES) and ".." not in plain.split("/") else None


def _members(value: Raw) -> Iterator[tuple[str, Raw]]:
    if _begins(value, b"{"):
        yield from _OBJECT.decode(value).items()


def _begins(value: Raw, sign: bytes) -> bool:
    return bytes(memoryview(value)[:1]) == sign


def _escaped(key: str) -> str:
    """Return a key that can be told from the joints around it, as a JSON pointer does (RFC 6901 §3)."""
    return key.replace("~", "~0").replace(JOINT, "~1")


def _fields(task: Task, address: str) -> dict[str, str]:
    fields = {"created": task.created_at[:10], "task": str(task.id)}
    if task.inner_id is not None:
        fields["inner_id"] = str(task.inner_id)
    if name := basename(address):
        fields["filename"] = name
    return fields
