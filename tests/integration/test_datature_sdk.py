"""The vendor's own client works against the emulated Datature Vi, and where it works, an export is what it returns."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.datature import DataturePlatform
from tests.support.clients import ask_client_aside
from tests.support.datature_source import datature_export, environment_of


async def ask(platform: DataturePlatform, home: Path, *words: str) -> Any:
    """Let the client ask, in a process of its own, while this loop answers."""
    return await ask_client_aside("vi_client.py", *words, home=home, env=environment_of(platform))


async def test_it_reads_all_that_an_exporter_needs(tmp_path: Path) -> None:
    """Datasets, assets, counts, single annotations, signed links and exports arrive as the client's own types."""
    async with DataturePlatform() as platform:
        platform.dataset().generate(5)
        found = await ask(platform, tmp_path, "surroundings", "ds0001")
        assert (found["datasets"], found["count"], found["annotation"]) == (["ds0001"], 5, "annot-000001")
        assert found["link"].startswith(platform.content.url)
        assert found["export"].startswith(platform.content.url)


async def test_an_export_is_what_the_client_returns(tmp_path: Path) -> None:
    """Annotation by annotation, field by field; and in one request where the client needs one an asset."""
    async with DataturePlatform() as platform:
        platform.dataset().generate(20, 4)
        names = sorted(platform.dataset().assets)
        returned = await ask(platform, tmp_path, "annotations", "ds0001", *names)
        assert platform.asked("annotations") == len(names)
        (await datature_export(platform, tmp_path, "ds0001", "out.zip")).ok()
        assert platform.asked("annotations") == len(names)
        with zipfile.ZipFile(tmp_path / "out.zip") as archive:
            stored = {name: json.loads(archive.read(name)) for name in archive.namelist() if name.startswith("asset")}
        # The client shortens the dataset's id; all else it hands on.
        whole = {"datasetId": platform.dataset().composite}
        rows = [(asset, {**row, **whole}) for asset, rows in returned.items() for row in rows]
        expected = {f"{asset}.{row['annotationId']}.json": row for asset, row in rows}
        assert stored == expected
        assert len(stored) == 80


async def test_where_the_client_stops_the_export_goes_on(tmp_path: Path) -> None:
    """The second page of assets, and answers to questions, are where the client raises; here they arrive."""
    async with DataturePlatform(most=10) as platform:
        platform.dataset("ds0001").generate(12, 1)
        platform.dataset("vqa", kind="vqa").generate(12, 1)
        assert await ask(platform, tmp_path, "assets", "ds0001", "10") == "TypeError"
        assert await ask(platform, tmp_path, "annotations", "vqa", "asset-00001") == {"asset-00001": "ViOperationError"}
        for dataset in ("ds0001", "vqa"):
            (await datature_export(platform, tmp_path, dataset, f"{dataset}/")).ok()
            assert len(list((tmp_path / dataset).glob("asset-*.json"))) == 12


@pytest.mark.parametrize("kind", ["missing", "unknown"])
async def test_one_odd_row_stops_the_client_and_not_the_export(tmp_path: Path, kind: str) -> None:
    """A field that is missing, or a kind that is new, costs the client the page; here it is one more document."""
    async with DataturePlatform() as platform:
        platform.dataset().generate(2, 2)
        _, odd = platform.dataset().find("annot-000002")
        if kind == "missing":
            del odd.resource["etag"]
        else:
            odd.resource["spec"]["contents"]["kind"] = "Polygon"
        found = await ask(platform, tmp_path, "annotations", "ds0001", "asset-00001", "asset-00002")
        assert (found["asset-00001"], len(found["asset-00002"])) == ("ViOperationError", 2)
        (await datature_export(platform, tmp_path, "ds0001", "out/")).ok()
        assert json.loads((tmp_path / "out/asset-00001.annot-000002.json").read_text()) == odd.resource


@pytest.mark.parametrize("status", [503, 403])
async def test_one_refused_range_spoils_the_clients_archive_and_not_ours(tmp_path: Path, status: int) -> None:
    """The client ends with a damaged archive, and reports success when asked again; here it is whole."""
    async with DataturePlatform() as platform:
        platform.dataset().generate(400, 1)
        platform.content.calm, platform.content.troubles = 1, [status]
        first, again = await ask(platform, tmp_path, "download", "ds0001", str(tmp_path / "theirs"))
        # Its threads race for what breaks first: the damaged archive, or the folder that another one made.
        assert (first in {"BadZipFile", "FileExistsError"}, again) == (True, "fine")
        platform.content.asked.clear()
        platform.content.calm, platform.content.troubles = 0, [status]
        words = ("--set", "mode=export", "--set", "export_format=ViFull")
        (await datature_export(platform, tmp_path, "ds0001", "ours/", *words)).ok()
        stored = (tmp_path / "ours" / "ViFull.zip").read_bytes()
        # The client had two made; as new as the data, either will do.
        assert stored in platform.content.files.values()
        assert zipfile.ZipFile(tmp_path / "ours" / "ViFull.zip").testzip() is None
        assert len(platform.dataset().exports) == 2
