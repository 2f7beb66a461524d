"""`syncer` on the emulated Datature Vi as its users start it: exported, killed, resumed, refused."""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from syncer.net import parts
from tests.emulators.datature import DataturePlatform
from tests.emulators.datature_data import Dataset
from tests.emulators.datature_process import RemoteDatature, datature_process
from tests.support.command import command, environment, start, syncer
from tests.support.datature_source import datature_export
from tests.support.exporting import documents, report
from tests.support.measured import measured

ASSETS = 200
LINE = ("export", "datature", "--project", "ds0001", "--progress", "none", "-o", "json")


@pytest.mark.parametrize(
    ("to", "kills"),
    [
        ("out.zip", 1),
        pytest.param("out.zip", 6, marks=pytest.mark.slow),
        pytest.param("out/", 6, marks=pytest.mark.slow),
    ],
)
def test_killed_it_ends_as_if_undisturbed(tmp_path: Path, to: str, kills: int) -> None:
    """After SIGKILLs in the middle of its lists the destination holds the same documents, each once, and verifies."""
    with datature_process(
        "--assets", str(ASSETS), "--parts", "2", "--most", "50", "--latency", "0.01", "--no-objects"
    ) as vi:
        (tmp_path / "calm").mkdir()
        syncer(*LINE, "--to", to, cwd=tmp_path / "calm", env=vi.environment).ok()
        for kill in range(kills):
            _killed_after(vi, "annotations", ASSETS + (kill + 1) * ASSETS // (kills + 1), tmp_path, *LINE, "--to", to)
        ended = syncer(*LINE, "--to", to, cwd=tmp_path, env=vi.environment).ok()
        assert report(ended)["complete"]
        assert documents(tmp_path / to) == documents(tmp_path / "calm" / to)
        assert len(documents(tmp_path / to)) == 2 * ASSETS
        syncer("verify", to, "--deep", cwd=tmp_path, env=vi.environment).ok()
        again = syncer(*LINE, "--to", to, cwd=tmp_path, env=vi.environment).ok()
        assert report(again)["counts"]["stored"] == 0


def _killed_after(vi: RemoteDatature, route: str, count: int, folder: Path, *line: str) -> None:
    """Start an export, and kill it once the platform has answered so many requests of a kind."""
    with start(*line, cwd=folder, env=vi.environment) as process:
        vi.wait(route, count)
        process.kill()


@pytest.mark.parametrize(("assets", "kills"), [(300, 1), pytest.param(5_000, 3, marks=pytest.mark.slow)])
def test_files_killed_on_their_way_are_whole_and_there_once(tmp_path: Path, assets: int, kills: int) -> None:
    """After SIGKILLs among the downloads every file is whole, none is there twice, and the manifest is right."""
    with datature_process("--assets", str(assets), "--parts", "1") as vi:
        media = (*LINE, "--set", "media=true", "--to", "out/")
        for kill in range(kills):
            _killed_after(vi, "content", (kill + 1) * assets // (kills + 1), tmp_path, *media)
        ended = syncer(*media, cwd=tmp_path, env=vi.environment).ok()
        assert report(ended)["complete"]
        made = Dataset("ds0001")
        made.generate(assets, 1)
        files = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
        assert files == {f"{asset.id}.png": asset.content for asset in made.assets.values()}
        printed = syncer("manifest", "out/", "-o", "jsonl", cwd=tmp_path, env=vi.environment).ok().out
        rows = [json.loads(line) for line in printed.splitlines()]
        assert sorted(row["path"] for row in rows if row["kind"] == "media") == sorted(files)
        syncer("verify", "out/", "--deep", cwd=tmp_path, env=vi.environment).ok()


@pytest.mark.parametrize(
    ("size", "breaks", "kills"),
    [(48 << 20, 5 << 20, 1), pytest.param(1 << 30, 50 << 20, 2, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_an_archive_on_a_bad_link_is_fetched_once(tmp_path: Path, size: int, breaks: int, kills: int) -> None:
    """Dropped again and again, lapsed once, killed on its way: byte-identical, and memory does not grow with it."""
    big = tmp_path / "big.zip"
    with zipfile.ZipFile(big, "w") as archive, archive.open("dump/images/noise.bin", "w", force_zip64=True) as member:
        for _ in range(size >> 20):
            member.write(os.urandom(1 << 20))
    habits = ("--assets", "3", "--big", str(big), "--breaks", str(breaks), "--lapse", "3")
    with datature_process(*habits) as vi:
        line = (*LINE, "--set", "mode=export", "--set", "export_format=ViFull", "--to", "out/")
        for kill in range(kills):
            _killed_after(vi, "sent", (kill + 1) * size // (kills + 1), tmp_path, *line)
        cost = measured(command(*line), cwd=tmp_path, env=environment(tmp_path, vi.environment))
        assert cost.json()[0]["complete"]
        with (tmp_path / "out" / "ViFull.zip").open("rb") as ours, big.open("rb") as theirs:
            assert hashlib.file_digest(ours, "sha256").digest() == hashlib.file_digest(theirs, "sha256").digest()
        # A kill costs the ranges that were on their way; nothing else is fetched twice.
        assert vi.stats()["sent"] <= big.stat().st_size + kills * parts.PART * parts.SIDE_BY_SIDE
        assert vi.stats()["exports"] <= 2 + kills
        assert not list((tmp_path / "xdg").rglob("kept/*"))
        if size >= 1 << 30:
            assert cost.peak < size / 3


async def test_an_export_is_stored_once_and_made_anew_when_the_data_moves(tmp_path: Path) -> None:
    """A second pass asks for no export and no byte; after an edit another archive takes the place of the first."""
    async with DataturePlatform() as platform:
        platform.dataset().generate(5, 2)
        for stored, made in ((1, 1), (0, 1), (1, 2)):
            ended = await datature_export(platform, tmp_path, "ds0001", "out/", "--set", "mode=export")
            assert report(ended.ok())["counts"]["stored"] == stored
            assert len(platform.dataset().exports) == made
            assert (tmp_path / "out" / "ViJsonl.zip").read_bytes() == platform.content.files[
                f"exports/export-{made:04d}.zip"
            ]
            if made == 1 and stored == 0:
                platform.dataset().change("annot-000003")


async def test_edits_arrive_in_the_next_pass(tmp_path: Path) -> None:
    """Corrected, reopened, deleted and new annotations are followed, and the line adds up."""
    async with DataturePlatform() as platform:
        dataset = platform.dataset()
        dataset.generate(30, 2)
        first = await datature_export(platform, tmp_path, "ds0001", "out.zip")
        assert report(first.ok())["counts"]["stored"] == 60
        dataset.change("annot-000003")
        dataset.set_status("asset-00005", "Review")
        dataset.remove_annotation("annot-000007")
        dataset.remove_asset("asset-00009")
        dataset.generate(1, 2)
        counts = report((await datature_export(platform, tmp_path, "ds0001", "out.zip")).ok())["counts"]
        expected = {"listed": 59, "stored": 3, "unchanged": 54, "filtered": 2, "deleted": 3, "withdrawn": 2}
        assert expected.items() <= counts.items()
        names = set(documents(tmp_path / "out.zip"))
        assert {"asset-00002.annot-000003.json", "asset-00005.annot-000009.json"} < names
        assert not {"asset-00004.annot-000007.json", "asset-00009.annot-000017.json"} & names


async def test_ids_with_underscores_and_tables(tmp_path: Path) -> None:
    """A dataset whose id has underscores is exported under it; `projects`, `batches` and `get` name the same things."""
    async with DataturePlatform() as platform:
        platform.dataset("a_b_1").generate(2, 1)
        ended = await datature_export(platform, tmp_path, "a_b_1", "out/", "--set", "granularity=asset")
        assert report(ended.ok())["counts"]["stored"] == 2
        document = json.loads((tmp_path / "out/asset-00001.json").read_text())
        assert document["asset"]["datasetId"] == "acme_a_b_1"
        assert (tmp_path / "out/_context/dataset.json").exists()
