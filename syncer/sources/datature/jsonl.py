"""The transform `datature_jsonl`: an asset's document as lines of the formats that Datature documents for uploads.

One line a caption, with its grounded phrases, or one line of questions and answers. Boxes become
`[x_min, y_min, x_max, y_max]`. Set `granularity: asset`: a phrase alone does not know its caption.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from syncer.model.refs import AnnotationRef

#: What is taken for a set of questions and answers, whatever its kind is called.
INTERACTIONS = "interactions"


class DatatureJsonl:
    """Turns an asset with its annotations into JSON lines."""

    #: Raised with every change of what comes out.
    version = "datature_jsonl@1"

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Return the lines.

        Raises:
            ValueError: it is no asset's document, or a part is of a kind that these formats can't say.
        """
        document = msgspec.json.decode(body)
        if ref.key.kind != "asset" or not isinstance(document, dict) or "annotations" not in document:
            message = "datature_jsonl needs whole assets: set granularity: asset"
            raise ValueError(message)
        lines = [_line(ref.key.item, parts) for parts in _wholes(document["annotations"])]
        return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def _wholes(parts: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the contents of parts, grouped by what they are parts of; one without a whole is its own."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for part in parts:
        spec = part.get("spec") or {}
        whole = ((spec.get("aggregation") or {}).get("whole") or {}).get("id")
        groups.setdefault(whole or part["annotationId"], []).append(spec.get("contents") or {})
    return list(groups.values())


def _line(asset: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    interactions = [each for part in parts for each in part.get(INTERACTIONS) or ()]
    if interactions:
        chosen = [{"question": each.get("question"), "answer": each.get("answer")} for each in interactions]
        return {"asset_id": asset, "contents": {"interactions": chosen}}
    kinds = {str(part.get("kind")) for part in parts}
    if unknown := kinds - {"Caption", "PhraseGroundingBoundingBox"}:
        message = f"no documented line says what a {', '.join(sorted(unknown))} is"
        raise ValueError(message)
    caption = next((str(part.get("contents") or "") for part in parts if part["kind"] == "Caption"), "")
    boxes = [part for part in parts if part["kind"] == "PhraseGroundingBoundingBox"]
    return {"asset_id": asset, "caption": caption, "grounded_phrases": [_phrase(caption, box) for box in boxes]}


def _phrase(caption: str, box: Mapping[str, Any]) -> dict[str, Any]:
    try:
        start, end = box["target"]
        across, down = [x for x, _ in box["bound"]], [y for _, y in box["bound"]]
        return {"phrase": caption[start:end], "bbox": [min(across), min(down), max(across), max(down)]}
    except (KeyError, TypeError) as error:
        message = f"a phrase without a target or a bound: {error}"
        raise ValueError(message) from error
