"""What README.md says is true: its tables are the code's own words, its examples run, its commands exist."""

import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import anyio.to_thread
import pytest
from aiohttp import web

import syncer.ports
from syncer.app.registry import built_in
from syncer.demo.platform.server import LabelStudioPlatform
from syncer.model.errors import Exit
from tests.emulators.clarifai import ClarifaiPlatform
from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.support import readme
from tests.support.command import Ended, environment
from tests.support.command import syncer as syncer_command
from tests.support.commands import options, parsed
from tests.support.servers import serving
from tests.support.tree import ROOT

TASKS = 40


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder where the README's reader sits, in front of an embedded platform whose project 7 has tasks."""

    folder: Path
    platform: LabelStudioPlatform

    @property
    def variables(self) -> dict[str, str]:
        """What the reader has set: the address and the token of their own server."""
        own = {"LABEL_STUDIO_URL": self.platform.url, "LABEL_STUDIO_API_KEY": self.platform.token}
        if (self.folder / "syncer.yaml").exists():
            own["SYNCER__PLATFORMS__STUDIO__URL"] = self.platform.url
        return own

    async def python(self, *words: str) -> Ended:
        """Run Python with some words to its end, beside this loop."""
        line = [sys.executable, *words]
        env = {**environment(self.folder, self.variables), "PYTHONPATH": str(ROOT)}

        def call() -> Ended:
            done = subprocess.run(line, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
            return Ended(done.returncode, done.stdout, done.stderr)

        return await anyio.to_thread.run_sync(call)

    async def syncer(self, line: str) -> Ended:
        """Run a command as it stands in the README."""
        _, *words = shlex.split(line, comments=True)
        return await anyio.to_thread.run_sync(lambda: syncer_command(*words, cwd=self.folder, env=self.variables))

    def files(self, place: str) -> set[str]:
        """Return what lies in a folder, without what begins with a dot."""
        root = self.folder / place
        found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        return {name for name in found if not name.rpartition("/")[2].startswith(".")}


@asynccontextmanager
async def reading(folder: Path) -> AsyncIterator[Desk]:
    """Sit down, with the README's configuration in the folder."""
    (folder / "syncer.yaml").write_text(readme.snippets("yaml")[0], "utf-8")
    platform = LabelStudioPlatform(0)
    for number in range(1, 8):
        project = platform.store.create_project(f"Street {number}")
    platform.store.generate(project, TASKS)
    async with platform:
        yield Desk(folder, platform)


def _lines() -> list[str]:
    """Return every command line of the README, in blocks and in the text."""
    blocks = [line for block in readme.snippets("sh") for line in block.splitlines()]
    return [line for line in [*blocks, *readme.inline()] if line.startswith("syncer ")]


def test_tables_are_the_codes_own_words() -> None:
    """The tables are what the models say; `python -m tests.support.readme` writes them anew."""
    assert readme.written_tables() == readme.tables()


@pytest.mark.parametrize("line", _lines())
def test_every_command_exists(line: str) -> None:
    """Each command line of the README is one that the command line understands."""
    parsed(line)


def test_every_option_exists() -> None:
    """Each option that the text names is one of some command."""
    named = {word for text in readme.inline() for word in re.findall(r"(?<!\S)--?[a-z][a-z-]*", text)}
    assert named
    assert named <= options()


def test_a_fresh_machine_needs_one_line_each() -> None:
    """The line that shows the demo and the line that runs the tests stand there, and what they name exists."""
    demo, tests = readme.snippets("sh")[:2]
    assert re.fullmatch(r"apt-get update && apt-get install -y python3-venv && python3 -m venv .venv .*demo\n", demo)
    assert tests == "python3 tests/run.py\n"
    assert (ROOT / "tests" / "run.py").is_file()
    parsed(demo.rpartition("bin/")[2])


def test_rule_21_the_exit_codes_are_these() -> None:
    """The table of exit codes names each of them once, in order."""
    rows = re.findall(r"^\| (\d+) \| \S", readme.text(), re.MULTILINE)
    assert [int(code) for code in rows] == sorted(Exit)


def test_the_configuration_loads(tmp_path: Path) -> None:
    """The examples are a configuration without a fault or a warning, with the jobs, sinks and names of the text."""
    file = tmp_path / "syncer.yaml"
    example, page = readme.snippets("yaml")
    file.write_text(example + page, "utf-8")
    settings = built_in().settings(file, environ={})
    assert not settings.warnings
    assert [leg.name for leg in settings.jobs["street"].legs] == ["lake", "nightly"]
    assert settings.serve.ui.hosts == ("syncer.example.org",)
    assert [each.on for each in settings.notify] == ["failure"]


def test_the_pictures_are_there() -> None:
    """They are small PNGs, drawn by our own commands, with words for who can't see them."""
    found = re.findall(r"^!\[(.{20,})\]\((.*)\)$", readme.text(), re.MULTILINE)
    assert len(found) == 2
    for _, place in found:
        picture = (ROOT / place).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 150_000


async def test_a_destination_looks_as_shown(tmp_path: Path) -> None:
    """After a pass of the example there lies what the picture shows, nothing else, and the manifest can be printed."""
    async with reading(tmp_path) as desk:
        (await desk.syncer("syncer sync")).ok()
        block = re.search(r"^```\nlake/\n(.*?)^```$", readme.text(), re.MULTILINE | re.DOTALL)
        assert block is not None
        shown = {word for line in block[1].splitlines() for word in line.split() if "/" in word}
        found = desk.files("lake")
        segment = re.compile(r"_manifest/street/7/00000001-\d+\.jsonl")
        assert {segment.sub("_manifest/street/7/00000001-….jsonl", name) for name in found} >= shown
        unnamed = {"latest", "checkpoint.json", "owner.json"}  # of no use to a reader
        rest = {
            name for name in found - shown if not re.fullmatch(r"7/\d+\.json", name) and not segment.fullmatch(name)
        }
        assert rest == {f"_manifest/street/{name}" for name in unnamed}
        with zipfile.ZipFile(tmp_path / "exports" / "7.zip") as archive:
            names = set(archive.namelist())
        # The project is fixed, so an archive of its own needs no folder for it.
        assert names == {name.replace("7/", "") for name in found if not name.startswith("_manifest/")}
        printed = (await desk.syncer("syncer manifest street --sink lake -o csv")).ok().out
        assert len(printed.splitlines()) == len(names) + 1


async def test_the_export_lines_work(tmp_path: Path) -> None:
    """The lines of the first section write an archive, a folder and tables, verify them, and print an annotation."""
    async with reading(tmp_path) as desk:
        (tmp_path / "syncer.yaml").unlink()
        archive, folder, *tables = (line for line in _lines() if line.startswith("syncer export label_studio"))
        for line in (archive, folder, *tables):
            (await desk.syncer(line)).ok()
        for table in ("labels.parquet", "labels.jsonl.zst"):
            assert (tmp_path / table).is_file()
            (await desk.syncer(f"syncer verify {table} --deep")).ok()
        (await desk.syncer("syncer verify labels.zip --deep")).ok()
        single = next(name for name in desk.files("labels") if re.fullmatch(r"\d+\.json", name))
        document = json.loads((tmp_path / "labels" / single).read_bytes())
        assert (
            json.loads((await desk.syncer(f"syncer get label_studio {document['id']}")).ok().out)["id"]
            == document["id"]
        )
        desk.platform.traffic.clear()
        (await desk.syncer(archive)).ok()
        assert sum(desk.platform.traffic.requests.values()) == 3


async def test_the_clarifai_lines_work(tmp_path: Path) -> None:
    """The lines for Clarifai write an archive and a folder, list batches, and print an annotation."""
    platform = ClarifaiPlatform()
    app = platform.store.create_app("cars")
    platform.store.fill(app, 4, 2)
    app.datasets["street-2026"] = {"input000001": None}
    app.tasks["t1"] = "Boxes"
    platform.store.annotate(app, "input000002", task="t1")
    export = [line for line in _lines() if line.startswith("syncer export clarifai")]
    assert len(export) == 2
    async with platform:
        own = {"CLARIFAI_API_BASE": platform.url, "CLARIFAI_PAT": platform.key, "CLARIFAI_USER_ID": "acme"}

        async def run(line: str) -> Ended:
            return await anyio.to_thread.run_sync(lambda: syncer_command(*shlex.split(line)[1:], cwd=tmp_path, env=own))

        for line in export:
            (await run(line)).ok()
        with zipfile.ZipFile(tmp_path / "cars.zip") as archive:
            assert len([name for name in archive.namelist() if not name.startswith("_")]) == 9
        found = {path.relative_to(tmp_path / "cars").as_posix() for path in (tmp_path / "cars").glob("[!_]*/*.json")}
        assert found == {"street-2026/input000001.json", "task=t1/input000002.json"}
        assert {"street-2026", "task=t1"} <= set((await run("syncer batches clarifai cars")).ok().out.split())
        printed = await run("syncer get clarifai input000001 00000001 --set app=cars")
        assert printed.ok().json()["input_id"] == "input000001"


async def test_a_lost_state_is_rebuilt(tmp_path: Path) -> None:
    """Without its state file, the next pass knows everything from the destination and fetches nothing again."""
    async with reading(tmp_path) as desk:
        (await desk.syncer("syncer sync")).ok()
        for file in tmp_path.glob("state.db*"):
            file.unlink() if file.is_file() else shutil.rmtree(file)
        (report,) = (await desk.syncer("syncer sync -o json")).ok().json()
        assert (report["counts"]["stored"], report["counts"]["requests"]) == (0, 3)


async def test_the_library_example_runs(tmp_path: Path) -> None:
    """The example of the library syncs the job of the example above and reads its annotations."""
    async with reading(tmp_path) as desk:
        code = next(code for code in readme.snippets("python") if "syncer.open" in code)
        said = (await desk.python("-W", "error", "-c", code)).ok().out.splitlines()
        stored = len([name for name in desk.files("lake") if name.startswith("7/")])
        assert said[0] == f"listed {stored} = stored {stored} + unchanged 0 + owed 0 + filtered 0 + frozen 0"
        assert {f"7/{line.split()[0]}.json" for line in said[1:]} == {
            n for n in desk.files("lake") if n.startswith("7/")
        }


async def test_the_transform_example_runs(tmp_path: Path) -> None:
    """A job that names the example of a transform stores what it returns."""
    async with reading(tmp_path) as desk:
        code = next(code for code in readme.snippets("python") if "def convert" in code)
        (tmp_path / "mymodule.py").write_text(code, "utf-8")
        (await desk.syncer("syncer sync --set jobs.street.transform=mymodule:convert")).ok()
        first = json.loads((tmp_path / "lake" / "7" / "1.json").read_bytes())
        assert first[0][0]["type"] == "rectanglelabels"


async def test_the_conversion_example_runs(tmp_path: Path) -> None:
    """A job on Kognic that checks for OpenLABEL and names the example stores what the user's own format makes of it."""
    code = next(code for code in readme.snippets("python") if "def to_custom" in code)
    package = tmp_path / "mypackage"
    package.mkdir()
    (package / "convert.py").write_text(code, "utf-8")
    (package / "__init__.py").write_text(_CUSTOM_FORMAT, "utf-8")
    async with KognicPlatform(3) as kognic, reading(tmp_path) as desk:
        account = {"client_id": kognic.auth.client_id, "client_secret": kognic.auth.client_secret}
        select = {"projects": [PROJECT], "batches": [BATCH], "annotation_types": [TYPE]}
        tree = {
            "platforms": {"cars": {"type": "kognic", "url": kognic.url, **account}},
            "sinks": {name: {"type": "prefix", "url": f"file:{name}"} for name in ("out", "raw")},
            "jobs": {
                "converted": {
                    "platform": "cars", "select": select, "sinks": ["out"], "transform": "mypackage.convert:to_custom",
                },
                "checked": {"platform": "cars", "select": select, "sinks": ["raw"], "validate": "openlabel"},
            },
        }  # fmt: skip
        (tmp_path / "syncer.yaml").unlink()
        (tmp_path / "cars.yaml").write_text(json.dumps(tree))
        kognic.world.correct(kognic.inputs[0], b'{"shapes":{}}')
        converted = await desk.syncer("syncer sync converted -c cars.yaml")
        checked = await desk.syncer("syncer sync checked -c cars.yaml")
        assert (converted.code, checked.code) == (3, 3), converted.err + checked.err
        assert "not a OpenLabelAnnotation" in converted.err
        assert "not a OpenLabelAnnotation" in checked.err
        good = {f"{each.scene.uuid}.json" for each in kognic.inputs[1:]}
        for place in ("out", "raw"):
            assert {name for name in desk.files(place) if not name.startswith("_")} == good
        name = min(good)
        objects = json.loads((tmp_path / "raw" / name).read_bytes())["openlabel"]["objects"]
        assert json.loads((tmp_path / "out" / name).read_bytes()) == {"objects": len(objects)}


#: A format of a reader's own, as the vendor's documents sketch it.
_CUSTOM_FORMAT = """
from pydantic import BaseModel


class CustomAnnotationFormat(BaseModel):
    objects: int

    @staticmethod
    def from_openlabel(openlabel_annotation):
        return CustomAnnotationFormat(objects=len(openlabel_annotation.openlabel.objects))
"""


async def test_the_platform_example_runs(tmp_path: Path) -> None:
    """The example of a platform joins by its entry point, and is exported, followed and verified like any other."""
    labels = {"a": 1, "b": 1}

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        _, _, name = request.path.partition("/labels")
        if not name:
            return web.json_response([{"id": each, "revision": str(number)} for each, number in labels.items()])
        return web.json_response({"label": name.strip("/"), "revision": labels[name.strip("/")]})

    code = next(code for code in readme.snippets("python") if "PLUGIN = " in code)
    (tmp_path / "labels.py").write_text(code, "utf-8")
    points = tomllib.loads(readme.snippets("toml")[0])["project"]["entry-points"]
    info = tmp_path / "labels-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: labels\nVersion: 1\n")
    sections = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in names.items()) for group, names in points.items()]
    (info / "entry_points.txt").write_text("\n".join(sections))
    async with reading(tmp_path) as desk, serving(answer) as served:
        line = f"syncer export labels --project all --to out/ --set url={served.url} -o json"
        (report,) = (await desk.syncer(line)).ok().json()
        assert report["counts"]["stored"] == 2
        del labels["b"]
        labels["a"] = 2
        (report,) = (await desk.syncer(line)).ok().json()
        assert (report["counts"]["updated"], report["counts"]["deleted"]) == (1, 1)
        assert json.loads((tmp_path / "out" / "a.json").read_bytes())["revision"] == 2
        (await desk.syncer("syncer verify out/ --deep")).ok()
        printed = await desk.syncer(f"syncer get labels a --set url={served.url}")
        assert printed.ok().json()["label"] == "a"


async def test_rule_16_documents_differ_from_the_export_as_said(tmp_path: Path) -> None:
    """A task document and the platform's own JSON export differ in exactly the keys that the text names."""
    async with reading(tmp_path) as desk:
        (await desk.syncer("syncer sync")).ok()
        headers = {"Authorization": f"Token {desk.platform.token}"}
        async with (
            aiohttp.ClientSession(desk.platform.url, headers=headers) as session,
            session.get("/api/projects/7/export?exportType=JSON") as response,
        ):
            exported = {str(task["id"]): task for task in json.loads(await response.read())}
        stored = {path.stem: json.loads(path.read_bytes()) for path in (tmp_path / "lake" / "7").iterdir()}
        assert len(stored) < len(exported)  # one task was skipped only
        for name, document in stored.items():
            theirs = exported[name]
            assert theirs.keys() - document.keys() == {"allow_skip", "drafts", "predictions", "comment_authors"}
            assert document.keys() - theirs.keys() == {"file_upload", "storage_filename"}
            assert {key for key in theirs.keys() & document.keys() if theirs[key] != document[key]} <= {
                "annotations", "updated_by",
            }  # fmt: skip
            for ours, full in zip(document["annotations"], theirs["annotations"], strict=True):
                assert {**full, **ours} == full
                assert full.keys() - ours.keys() == {"prediction", "result_count", "unique_id"}


def test_the_differences_are_named() -> None:
    """The section on documents names every key that makes the difference."""
    section = readme.text().partition("## Label Studio documents")[2].partition("\n## ")[0]
    for key in (
        "allow_skip", "drafts", "predictions", "comment_authors", "file_upload", "storage_filename", "updated_by",
        "prediction", "result_count", "unique_id",
    ):  # fmt: skip
        assert f"`{key}`" in section, key


def test_what_plug_in_authors_are_told_exists() -> None:
    """Doors, modules and paths that the text names are there, and the fakes are in the modules that it names."""
    named = set(readme.inline())
    for door in ("SinkPlugin", "Sink", "SinkSession", "Manifest"):
        assert door in named
        assert hasattr(syncer.ports, door)
    for module, name in (
        ("syncer.sources.memory", "MemorySource"),
        ("syncer.sinks.memory", "MemorySink"),
        ("syncer.state.memory", "memory_state"),
        ("syncer.schedule.clock", "FakeClock"),
    ):
        assert module in named
        assert hasattr(importlib.import_module(module), name)
    links = re.findall(r"\]\(([^)]+)\)", readme.text())
    paths = [word for word in named if re.fullmatch(r"(syncer|tests|config)(/[\w.]+)+", word)]
    assert paths
    files = [path for path in [*links, *paths] if not path.startswith("#")]
    assert not [path for path in files if not (ROOT / path).exists()]


def test_its_table_of_contents_leads_somewhere() -> None:
    """Every link inside the page names one of its headings, as the sites that show it spell them."""
    headings = re.findall(r"^#+ (.+)$", readme.text(), re.MULTILINE)
    known = {"#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    inside = re.findall(r"\]\((#[^)]+)\)", readme.text())
    assert len(inside) > 10
    assert not set(inside) - known
