"""The library on its own: documents straight from a platform."""

import json
from pathlib import Path

from syncer.app.library import open_syncer
from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform


async def test_annotations_are_fetched_side_by_side(tmp_path: Path) -> None:
    """Documents come in the order of the listing, and many are on their way at once."""
    async with KognicPlatform(40, page_size=15) as platform:
        platform.faults.add("latency", route="storage", seconds=0.05, times=None)
        account = {"client_id": platform.auth.client_id, "client_secret": platform.auth.client_secret}
        file = tmp_path / "syncer.yaml"
        file.write_text(json.dumps({"platforms": {"cars": {"type": "kognic", "url": platform.url, **account}}}))
        async with open_syncer(file) as s:
            found = [
                (each.key.item, each.content)
                async for each in s.annotations("cars", PROJECT, batches=[BATCH], annotation_types=[TYPE])
            ]
        assert found == [(each.scene.uuid, platform.document(each.annotation)) for each in platform.inputs]
        # One after the other there would never be more than one request at a time.
        assert platform.traffic.peak > 4
