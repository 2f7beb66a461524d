"""The documented JSON lines: phrase grounding and VQA, from whole assets."""

import json
from pathlib import Path
from typing import Any

import pytest

from syncer.app.registry import built_in
from syncer.model.refs import AnnotationRef, ItemKey
from syncer.settings import JobOptions
from tests.emulators.datature import DataturePlatform
from tests.support.datature_source import mirrored

REF = AnnotationRef(ItemKey("asset", "ds0001", None, None, "asset-00001"), "v")


def transform(body: bytes, ref: AnnotationRef = REF) -> list[Any]:
    """Return what the shipped transform makes of a document, as values."""
    options = JobOptions.model_validate(
        {"platform": "vi", "sinks": ["lake"], "select": {"projects": ["x"]}, "transform": "datature_jsonl"}
    )
    found = built_in().transform(options, Path())
    assert found is not None
    assert found.version == built_in().transforms["datature_jsonl"].version
    return [json.loads(line) for line in found(body, ref).splitlines()]


def document(*parts: Any) -> bytes:
    """Return an asset's document with these contents, all of one whole."""
    rows = [{"annotationId": f"a{i}", "spec": {"contents": part, "aggregation": {"whole": {"id": "w"}}}}
            for i, part in enumerate(parts)]  # fmt: skip
    return json.dumps({"asset": {}, "annotations": rows}).encode()


async def test_phrases_stand_in_their_caption() -> None:
    """A caption and its boxes become one line in the documented form, text by the span, corners by their extremes."""
    async with DataturePlatform() as platform:
        platform.dataset().generate(1, 3)
        async with mirrored(platform, granularity="asset") as mirror:
            await mirror.sync()
            (item,) = mirror.items.values()
    (line,) = transform(item.data)
    assert line["asset_id"] == "asset-00001"
    assert line["caption"] == "a red car by a tree"
    assert [phrase["phrase"] for phrase in line["grounded_phrases"]] == ["red car", "a tree"]
    assert line["grounded_phrases"][0]["bbox"] == pytest.approx([0.1, 0.2, 0.4, 0.4])


def test_questions_and_answers_are_one_line() -> None:
    """Interactions of one whole stand together, with nothing but question and answer."""
    parts = [{"kind": "Vqa", "interactions": [{"order": n, "question": f"q{n}", "answer": "a"}]} for n in range(2)]
    assert transform(document(*parts)) == [
        {
            "asset_id": "asset-00001",
            "contents": {"interactions": [{"question": "q0", "answer": "a"}, {"question": "q1", "answer": "a"}]},
        }
    ]


@pytest.mark.parametrize(
    "body",
    [
        document({"kind": "Freeform", "anything": 1}),
        document({"kind": "Caption", "contents": "x"}, {"kind": "PhraseGroundingBoundingBox", "target": None}),
        b'{"annotationId":"a"}',
    ],
)
def test_what_no_line_can_say_is_refused(body: bytes) -> None:
    """Freeform contents, boxes without a place and single annotations are owed with the reason, never half written."""
    with pytest.raises(ValueError, match=r"datature_jsonl|documented|phrase"):
        transform(body)
