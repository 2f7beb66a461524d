"""Tasks that break careless exporters: odd numbers and names, very large documents, every state a task can be in."""

from collections.abc import Mapping, Sequence
from typing import Any

from syncer.demo.platform.projects import Project
from syncer.demo.platform.store import Store

#: Bytes of the large result.
LARGE = 256 * 1024

_REGION = b'{"id":"%s","type":"textarea","from_name":"note","to_name":"image","value":%s}'


def _result(value: bytes, name: bytes = b"edge") -> bytes:
    return b"[" + _REGION % (name, value) + b"]"


def _finished(value: bytes, **more: Any) -> dict[str, Any]:
    return {"result": _result(value), "ground_truth": False, "lead_time": 1.5, **more}


#: Name of each edge, and the task as an import takes it; bytes are JSON text that is served as it stands.
EDGES: Mapping[str, Mapping[str, Any]] = {
    "plain": {"annotations": [_finished(b'{"text":["plain"]}')]},
    "big integers": {
        "data": b'{"image":"i.jpg","id":12345678901234567890,"negative":-98765432109876543210}',
        "annotations": [_finished(b'{"n":12345678901234567890123}')],
    },
    "float as written": {"annotations": [_finished(b'{"x":1.10,"y":1e2,"z":0.1000,"w":-0.0,"v":1E-7}')]},
    "duplicate keys": {"annotations": [_finished(b'{"key":1,"Key":2,"key":3,"k\\u0065y":4}')]},
    "escapes": {"annotations": [_finished(b'{"text":"\\u00e9\\/\\u2028\\u0000 \\ud83d\\ude00"}')]},
    "unicode names": {
        "data": '{"image":"straße/été/道路/🚦 .jpg","naïve":"e\u0301 ﬁ","\u202eright":"\u200b"}'.encode(),
        "annotations": [_finished('{"text":["großes Straßenschild 🚧"]}'.encode())],
    },
    "spaces": {"annotations": [_finished(b'{ "text" :\t[ "a" ,\n "b" ] }')]},
    "empty result": {"annotations": [{"result": [], "ground_truth": False}]},
    "large": {"annotations": [_finished(b'{"text":"%s"}' % (b"0123456789abcdef" * (LARGE // 16)))]},
    "deep": {"annotations": [_finished(b'{"d":' + b"[" * 100 + b"]" * 100 + b"}")]},
    "two annotations": {"annotations": [_finished(b'{"by":"first"}'), _finished(b'{"by":"second"}')]},
    "finished and skipped": {"annotations": [_finished(b'{"by":"first"}'), {"result": [], "was_cancelled": True}]},
    "skipped only": {"annotations": [{"result": [], "was_cancelled": True, "ground_truth": False}]},
    "draft": {"drafts": [{"result": _result(b'{"text":["not yet"]}')}]},
    "unannotated": {},
    "ground truth": {"annotations": [_finished(b'{"text":["truth"]}', ground_truth=True)]},
    "prediction only": {"predictions": [{"result": [], "model_version": "m1", "score": 0.5}]},
}


def edge_items() -> Sequence[Mapping[str, Any]]:
    """Return all edges as an import takes them."""
    return [{"data": {"image": f"{name}.jpg"}, "meta": {"edge": name}, **item} for name, item in EDGES.items()]


def seed_edges(store: Store, project: Project) -> dict[str, int]:
    """Import every edge into a project; return the id of each by its name."""
    return dict(zip(EDGES, store.import_tasks(project, edge_items()), strict=True))
