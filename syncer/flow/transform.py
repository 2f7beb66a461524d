"""From a body to entries: the job's transform, each sink's document shape."""

import json
from collections.abc import Mapping

import anyio.to_thread
import msgspec
from msgspec.structs import replace

from syncer.flow.frontier import Wanted
from syncer.flow.redact import Redacting
from syncer.model.entries import Body, Content, Entry, Leg, SpooledFile
from syncer.model.errors import ItemFailed
from syncer.model.refs import CONTEXT, FILES, MEDIA
from syncer.ports import Sink, Transform

#: Bytes above which an envelope is made off the event loop: below, the hop costs more than the work.
INLINE = 128 * 1024


class Shaper(msgspec.Struct, frozen=True):
    """Makes the entries of one job."""

    sinks: Mapping[Leg, Sink]
    transform: Transform | None
    #: Everything is fetched again: what is stored is not trusted.
    refetch: bool = False
    redacting: Redacting | None = None

    async def entries(self, wanted: Wanted, body: Body) -> dict[Leg, Entry]:
        """Return one entry for each leg that lacks the item.

        Raises:
            ItemFailed: the transform refuses the document.
        """
        if self.light(body.size):
            return self.entries_now(wanted, body)
        return await anyio.to_thread.run_sync(self.entries_now, wanted, body)

    def light(self, size: int) -> bool:
        """Tell whether so many bytes can be shaped on the event loop: nobody looks into them, or they are few."""
        plain = self.transform is None and self.redacting is None
        return plain and (size <= INLINE or not any(map(_enveloped, self.sinks.values())))

    def entries_now(self, wanted: Wanted, body: Body) -> dict[Leg, Entry]:
        """Do the same in the calling thread; for whole pages in one hop."""
        kind = body.ref.key.kind
        # Transforms are for labels; files are stored as they are, whatever documents look like.
        transform = None if kind == CONTEXT or kind in FILES else self.transform
        if self.redacting is not None:
            body = self._redacted(self.redacting, body)
        data = body.data if transform is None else self._transformed(transform, body)
        version = body.version or body.ref.version
        plain = Content(data)
        result: dict[Leg, Entry] = {}
        for leg, verdict in wanted.verdicts.items():
            sink = self.sinks.get(leg)
            if sink is None:
                continue
            enveloped = _enveloped(sink) and kind not in FILES
            result[leg] = Entry(
                key=body.ref.key,
                version=version,
                path=verdict.path,
                content=Content(_envelope(body, _bytes(data), version)) if enveloped else plain,
                media_type=body.media_type,
                updated_at=body.ref.updated_at,
                fields=body.ref.fields,
                group=body.ref.group,
                replaces=verdict.stored,
                mends=wanted.owed or self.refetch,
            )
        return result

    @staticmethod
    def _redacted(redacting: Redacting, body: Body) -> Body:
        ref = redacting.ref(body.ref)
        return (
            replace(body, ref=ref)
            if ref.key.kind == MEDIA
            else replace(body, ref=ref, data=redacting.document(_bytes(body.data), ref))
        )

    @staticmethod
    def _transformed(transform: Transform, body: Body) -> bytes:
        try:
            return transform(_bytes(body.data), body.ref)
        except ValueError as error:
            raise ItemFailed(body.ref.key, f"the transform refused it: {error}") from error
        except Exception as error:  # a user's function may raise anything: its item is owed, the run goes on
            reason = f"the transform failed: {type(error).__name__}: {error}"
            raise ItemFailed(body.ref.key, reason) from error


def _enveloped(sink: Sink) -> bool:
    return sink.shape.get("document") == "envelope"


def _bytes(data: bytes | SpooledFile) -> bytes:
    return data if isinstance(data, bytes) else data.path.read_bytes()


def _envelope(body: Body, content: bytes, version: str) -> bytes:
    """Return identifiers around the exact content: the content is spliced in, never parsed."""
    key = body.ref.key
    head = {
        "key": {
            "kind": key.kind,
            "project": key.project,
            "batch": key.batch,
            "annotation_type": key.annotation_type,
            "item": key.item,
        },
        "version": version,
        "updated_at": body.ref.updated_at.isoformat() if body.ref.updated_at else None,
        "fields": dict(body.ref.fields),
    }
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return text[:-1] + b',"content":' + content + b"}"
