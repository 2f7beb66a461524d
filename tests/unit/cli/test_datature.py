"""What users of Datature Vi get wrong, and what they are told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.model.errors import Exit
from tests.emulators.datature_process import RemoteDatature, datature_process
from tests.unit.cli.conftest import Run


@pytest.fixture(scope="module")
def vi() -> Iterator[RemoteDatature]:
    """Run one platform for all of them."""
    with datature_process("--assets", "3") as platform:
        yield platform


@pytest.mark.parametrize(
    ("changes", "words", "code", "said"),
    [
        ({"DATATURE_VI_SECRET_KEY": "dtvi_short"}, (), Exit.SETTINGS, "103 characters"),
        ({"DATATURE_VI_SECRET_KEY": "dtvi_" + "x" * 98}, (), Exit.PERMISSION, "does not accept the secret key"),
        ({"DATATURE_VI_SECRET_KEY": ""}, (), Exit.SETTINGS, "DATATURE_VI_SECRET_KEY"),
        ({"DATATURE_VI_ORGANIZATION_ID": "other"}, (), Exit.PERMISSION, "organization other"),
        ({"DATATURE_VI_ORGANIZATION_ID": ""}, (), Exit.SETTINGS, "the organization is missing: set `organization`"),
        ({}, ("--batch", "nowhere"), Exit.SETTINGS, "no batch of a Datature dataset"),
        ({}, ("--batch", "folder=nowhere"), Exit.SETTINGS, "syncer batches"),
        ({}, ("--annotation-type", "box"), Exit.SETTINGS, "not divided by annotation type"),
        ({}, ("--set", "mode=archive"), Exit.SETTINGS, "'annotations' or 'export'"),
        ({}, ("--item", "a b"), Exit.SETTINGS, "names no asset"),
        ({}, ("--project", "ds 2"), Exit.SETTINGS, "ds0001 (The ds0001 dataset)"),
    ],
)
def test_rule_21_what_is_wrong_is_said(
    run: Run, vi: RemoteDatature, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, str],
    words: tuple[str, ...], code: Exit, said: str,
) -> None:  # fmt: skip
    """Each mistake has its exit code and its hint; the key is never shown, and nothing is written."""
    for name, value in {**vi.environment, **changes}.items():
        monkeypatch.setenv(name, value)
    project = () if "--project" in words else ("--project", "ds0001")
    ended = run("export", "datature", *project, "--to", "out/", *words)
    assert (ended.code, said in ended.words()) == (code, True), ended.err
    key = changes.get("DATATURE_VI_SECRET_KEY") or vi.key
    assert key not in ended.err + ended.out
    assert not list((tmp_path / "out").glob("*.json"))


def test_tables_and_single_documents(run: Run, vi: RemoteDatature, monkeypatch: pytest.MonkeyPatch) -> None:
    """`projects`, `batches` and `get` name the same things."""
    for name, value in vi.environment.items():
        monkeypatch.setenv(name, value)
    assert [row["id"] for row in run("projects", "datature", "-o", "json").json()] == ["ds0001"]
    assert "status=Completed" in [row["batch"] for row in run("batches", "datature", "ds0001", "-o", "json").json()]
    assert run("get", "datature", "ds0001/asset-00001", "annot-000001").json()["annotationId"] == "annot-000001"
    assert run("get", "datature", "ds0001/asset-00001").json()["assetId"] == "asset-00001"
    assert run("batches", "datature", "ds0002").code == Exit.SETTINGS


@pytest.mark.parametrize(("parts", "said"), [
    (("ds0001", "asset-00001"), "needs DATASET/ASSET for an asset"),
    (("ds0001/asset-00001/annot-000001",), "DATASET/ASSET, a space, ANNOTATION"),
    (("ds0001/asset-00001", "annot-000001", "x"), "for example: syncer get datature ds0001/asset-1 annot-1"),
    (("ds0001/asset-00001", "nope"), "asset asset-00001 has no annotation nope in dataset ds0001"),
    (("ds0002/asset-00001",), "there is no asset asset-00001 in dataset ds0002, or this key may not see it"),
    (("ds0001/asset-00001", "a b"), "which has only letters, digits, _ and -"),
])  # fmt: skip
def test_what_is_not_there_is_named(
    run: Run, vi: RemoteDatature, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...], said: str
) -> None:
    """`get` says what it looked for, where, and how its words are meant."""
    for name, value in vi.environment.items():
        monkeypatch.setenv(name, value)
    ended = run("get", "datature", *parts)
    assert (ended.code, said in ended.words()) == (Exit.SETTINGS, True), ended.err


def test_a_status_that_no_asset_can_have_is_noticed(
    run: Run, vi: RemoteDatature, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything would be left out without a word: the statuses that there are are named."""
    for name, value in vi.environment.items():
        monkeypatch.setenv(name, value)
    ended = run("export", "datature", "--project", "ds0001", "--to", "out/", "--set", "statuses=[Complete]")
    assert ended.code == Exit.DONE
    assert "dataset ds0001 has no asset status 'Complete'" in ended.err


def test_an_export_that_fails_is_owed_with_its_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The platform's failure is told, nothing is written, and the exit code says that something is owed."""
    with datature_process("--assets", "3", "--export-fails") as platform:
        for name, value in platform.environment.items():
            monkeypatch.setenv(name, value)
        line = ("export", "datature", "--project", "ds0001", "--to", "out/", "--set", "mode=export")
        ended = run(*line)
        assert (ended.code, "export-0001 failed" in ended.words()) == (Exit.OWING, True), ended.err
        assert not list((tmp_path / "out").glob("*.zip"))
        assert run(*line, "--batch", "tag=car").code == Exit.SETTINGS
