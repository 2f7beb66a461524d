"""Getting into Kognic, and being refused: exit codes, words, and that no secret is shown."""

from pathlib import Path
from typing import Any

import pytest

from tests.emulators.kognic import BATCH, PROJECT, TYPE, KognicPlatform
from tests.emulators.kognic.auth import CLIENT_SECRET
from tests.support.exporting import same_documents
from tests.support.kognic_export import HASTY, ONE, Exporter, named, numbers


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"issuer": None}, ("issuer",)),
        ({"clientSecret": None, "email": None}, ("clientSecret", "email")),
        ({"expires": "2020-01-02T03:04:05Z"}, ("expired", "2020-01-02")),
    ],
    ids=["a key", "two keys", "expired"],
)
async def test_a_bad_credentials_file_is_explained(
    tmp_path: Path, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    """A file without the five keys, or one that has expired, is named with what is wrong, before any request."""
    async with KognicPlatform(1) as platform:
        platform.credentials(tmp_path / "credentials.json", **change)
        ended = await Exporter(tmp_path, platform).export("out.zip")
        assert ended.code in {77, 78}, ended.err
        for word in ("credentials.json", *words):
            assert word in ended.err
        assert CLIENT_SECRET not in ended.err
        assert not platform.traffic.log
        assert not (tmp_path / "out.zip").exists()


@pytest.mark.parametrize("text", ["", "not JSON", "[]", '"text"'])
async def test_a_file_that_is_no_credentials_file(tmp_path: Path, text: str) -> None:
    """A file with something else in it ends with 78 and its name."""
    (tmp_path / "credentials.json").write_text(text)
    async with KognicPlatform(1) as platform:
        ended = await Exporter(tmp_path, platform).export("out.zip")
    assert ended.code == 78, ended.err
    assert "credentials.json" in ended.err


async def test_a_wrong_secret_is_refused(tmp_path: Path) -> None:
    """A secret that the token service does not take ends with 77, the id is named, the secret is not shown."""
    async with KognicPlatform(1) as platform:
        platform.credentials(tmp_path / "credentials.json", clientSecret="mistyped-secret")
        ended = await Exporter(tmp_path, platform).export("out.zip")
        assert ended.code == 77, ended.err
        assert "mistyped-secret" not in ended.err + ended.out
        assert platform.auth.grants["refused"] == 1


async def test_credentials_come_from_where_the_client_finds_them(tmp_path: Path) -> None:
    """Id and secret in two variables do as well as a file; a file that is named wins over them."""
    async with KognicPlatform(2) as platform:
        pair = {"KOGNIC_CLIENT_ID": platform.auth.client_id, "KOGNIC_CLIENT_SECRET": platform.auth.client_secret}
        by_pair = Exporter(tmp_path, platform, env={"KOGNIC_CREDENTIALS": "", **pair})
        (await by_pair.export("pair/")).ok()
        wrong = {"KOGNIC_CLIENT_ID": "somebody", "KOGNIC_CLIENT_SECRET": "else"}
        (await Exporter(tmp_path, platform, env=wrong).export("file/")).ok()
        nothing = await Exporter(tmp_path, platform, env={"KOGNIC_CREDENTIALS": ""}).export("nothing/")
        assert nothing.code == 78, nothing.err
        assert "KOGNIC_CREDENTIALS" in nothing.err
        lost = await Exporter(tmp_path, platform, env={"KOGNIC_CREDENTIALS": str(tmp_path / "lost.json")}).export("x/")
        assert lost.code == 78, lost.err
        assert "lost.json" in lost.err


async def test_a_home_folder_may_be_written_short(tmp_path: Path) -> None:
    """The path of a credentials file may begin with a tilde, as it may for the vendor's client."""
    async with KognicPlatform(2) as platform:
        (tmp_path / ".config" / "kognic").mkdir(parents=True)
        platform.credentials(tmp_path / ".config" / "kognic" / "credentials.json")
        env = {"HOME": str(tmp_path), "KOGNIC_CREDENTIALS": "~/.config/kognic/credentials.json"}
        (await Exporter(tmp_path, platform, env=env).export("out.zip")).ok()


async def test_jobs_share_a_token(tmp_path: Path) -> None:
    """Several jobs of one configuration get along with one token, side by side or one after the other."""
    async with KognicPlatform(3) as platform:
        platform.seed(3, project="city")
        jobs = [
            f"{name}: {{platform: cars, select: {{projects: [{name}]}}, sinks: [{name}]}}" for name in ("city", PROJECT)
        ]
        sinks = [f"{name}: {{type: prefix, url: 'file:{name}'}}" for name in ("city", PROJECT)]
        text = f"platforms: {{cars: {{type: kognic, url: '{platform.url}'}}}}\nstate: sqlite:state.db\n"
        text += f"sinks: {{{', '.join(sinks)}}}\njobs: {{{', '.join(jobs)}}}\n"
        (tmp_path / "syncer.yaml").write_text(text)
        exporter = Exporter(tmp_path, platform)
        (await exporter.run("sync")).ok()
        found = {**exporter.documents("city"), **exporter.documents(PROJECT)}
        same_documents(found, named(platform.documents()))
        assert platform.auth.grants.total() == 1


async def test_a_secret_that_is_replaced_while_the_run_goes_on(tmp_path: Path) -> None:
    """When no new token can be had in the middle of a run, it ends with 77, keeps what it has, and goes on later."""
    async with KognicPlatform(40, page_size=10) as platform:
        exporter = Exporter(tmp_path, platform)
        platform.faults.add("status", route="search", after=2, times=None, status=401)
        platform.faults.add("status", route="token", after=1, times=None, status=401)
        ended = await exporter.export("out.zip", *HASTY)
        assert ended.code == 77, ended.err
        assert CLIENT_SECRET not in ended.err + ended.out
        (kept,) = numbers(ended, "stored")
        platform.faults.clear()
        platform.traffic.clear()
        # What was on its way when the run ended is asked for again, and nothing else.
        assert numbers((await exporter.export("out.zip")).ok(), "stored", "owed") == (40 - kept, 0)
        assert platform.traffic.content.total() == 40 - kept
        same_documents(exporter.documents("out.zip"), named(platform.documents()))


async def test_no_access_is_no_deletion(tmp_path: Path) -> None:
    """A 403, for a project or for everything, ends with 77 and deletes nothing."""
    async with KognicPlatform(3) as platform:
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out.zip")).ok()
        before = exporter.documents("out.zip")
        platform.world.projects[PROJECT].forbidden = True
        closed = await exporter.export("out.zip", *HASTY)
        assert closed.code == 77, closed.err
        assert PROJECT in closed.err
        platform.world.projects[PROJECT].forbidden = False
        platform.habits.forbidden = True
        assert (await exporter.export("out.zip", *HASTY)).code == 77
        assert exporter.documents("out.zip") == before
        platform.habits.forbidden = False
        assert numbers((await exporter.export("out.zip")).ok(), "stored", "deleted") == (0, 0)


@pytest.mark.parametrize(
    ("what", "word"),
    [
        (("--project", "highwy"), "highwy"),
        (("--project", PROJECT, "--batch", "batch-9", "--annotation-type", TYPE), "batch-9"),
        (("--project", PROJECT, "--batch", BATCH, "--annotation-type", "object-detektion"), "object-detektion"),
    ],
    ids=["project", "batch", "type"],
)
@pytest.mark.parametrize("unknown", [404, 200])
async def test_what_does_not_exist_is_named(tmp_path: Path, what: tuple[str, ...], word: str, unknown: Any) -> None:
    """A project, batch or type that does not exist ends with 78 and its name, whatever its listing would answer."""
    async with KognicPlatform(3, unknown_type=unknown) as platform:
        ended = await Exporter(tmp_path, platform).export("out.zip", what=what)
        assert ended.code == 78, ended.err
        assert word in ended.err
        assert not (tmp_path / "out.zip").exists()


async def test_a_glob_that_matches_nothing_is_no_error(tmp_path: Path) -> None:
    """A glob without a match ends with 0 and a warning."""
    async with KognicPlatform(3) as platform:
        ended = (await Exporter(tmp_path, platform).export("out/", what=("--project", "nowhere-*"))).ok()
        assert "nowhere-*" in ended.err


@pytest.mark.parametrize("body", [b"<html>moved</html>", b'{"openlabel": {"metadata"', b""])
async def test_a_document_that_is_no_json_is_owed(tmp_path: Path, body: bytes) -> None:
    """A document that is not JSON is owed with a reason and not stored; the others are; corrected, it is fetched."""
    async with KognicPlatform(5) as platform:
        spoiled = platform.inputs[2]
        platform.world.correct(spoiled, body)
        exporter = Exporter(tmp_path, platform)
        ended = await exporter.export("out.zip", *HASTY)
        assert (ended.code, numbers(ended, "stored", "owed")) == (3, (4, 1)), ended.err
        assert "the document is not JSON" in ended.err
        assert f"{spoiled.scene.uuid}.json" not in exporter.documents("out.zip")
        platform.world.correct(spoiled)
        assert numbers((await exporter.export("out.zip")).ok(), "stored", "owed") == (1, 0)
        same_documents(exporter.documents("out.zip"), named(platform.documents()))


async def test_a_listing_that_is_no_json_is_not_believed(tmp_path: Path) -> None:
    """A page that is no JSON, or a page for people, ends the run with 75 and its address, and deletes nothing."""
    async with KognicPlatform(8, page_size=4) as platform:
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out.zip")).ok()
        before = exporter.documents("out.zip")
        for kind in ("garbage", "html"):
            platform.faults.add(kind, route="search", times=None, status=200)
            ended = await exporter.export("out.zip", *HASTY)
            assert ended.code in {75, 78}, ended.err
            assert "search" in ended.err or "127.0.0.1" in ended.err
            platform.faults.clear()
        assert exporter.documents("out.zip") == before


async def test_no_secret_is_written_anywhere(tmp_path: Path) -> None:
    """Neither the secret, nor tokens, nor signatures of links are in any output, or in any file that is left."""
    async with KognicPlatform(6, page_size=2) as platform:
        annotation = platform.inputs[1].annotation
        assert annotation is not None
        platform.faults.add("status", route="storage", match=annotation.uuid, times=None, status=500)
        ended = await Exporter(tmp_path, platform).export("out.zip", *HASTY, "-vv")
        assert ended.code == 3
        tokens = {line.headers["Authorization"].split()[-1] for line in platform.traffic.log if line.route == "search"}
        secrets = {CLIENT_SECRET, *tokens, *(f"refresh-{number}" for number in range(1, 4))}
        texts = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        del texts[tmp_path / "credentials.json"]
        for secret in secrets:
            assert secret not in ended.out + ended.err
            assert [path for path, text in texts.items() if secret.encode() in text] == []
        assert "X-Goog-Signature=0" not in ended.err


async def test_doctor_tries_the_credentials(tmp_path: Path) -> None:
    """`doctor` tells working credentials from refused ones."""
    async with KognicPlatform(1) as platform:
        text = f"platforms: {{cars: {{type: kognic, url: '{platform.url}'}}}}\n"
        (tmp_path / "syncer.yaml").write_text(text)
        exporter = Exporter(tmp_path, platform)
        rows = {row["what"]: row for row in (await exporter.run("doctor", "-o", "json")).ok().json()}
        assert rows["platform cars"]["result"] == "ok"
        platform.credentials(tmp_path / "credentials.json", clientSecret="mistyped")
        assert (await exporter.run("doctor")).code == 77


async def test_only_reading_requests_are_sent(tmp_path: Path) -> None:
    """All that is sent beside GET is the token request and the three queries that are made by POST."""
    async with KognicPlatform(5, page_size=2) as platform:
        exporter = Exporter(tmp_path, platform)
        (await exporter.export("out.zip")).ok()
        (await exporter.export("types/", what=ONE[:2])).ok()
        posts = {line.path for line in platform.traffic.log if line.method != "GET"}
        allowed = {
            "/v1/auth/oauth/token",
            "/v2/inputs/query",
            "/v1/inputs/fetch",
            "/v2/scenes/query",
            "/v1/inputs/query",
        }
        assert posts <= allowed
