"""Getting in, being refused, and losing a real Label Studio: exit codes, words, and what the next run makes of it."""

import asyncio
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.support.exporting import Exporter, counts, documents, report, same_documents
from tests.support.labelstudio import RealLabelStudio, label_studio_data
from tests.support.relay import relaying
from tests.support.sdk import task_documents
from tests.support.studio import Studio, seed_items

pytestmark = pytest.mark.timeout(400)

#: So that a server that is away is given up within seconds.
HASTY = ("--set", "limits.attempts=2", "--set", "limits.retry_budget=3")


async def test_a_personal_access_token_exports_too(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """A personal access token buys short-lived tokens by itself, and neither of them is written anywhere."""
    async with label_studio.client() as studio, relaying(label_studio.url) as relay:
        project, _ = await studio.seed(60)
        expected = task_documents(await studio.all_tasks(project))
        token = await studio.create_pat()
        exporter = Exporter(tmp_path, relay.url, token)
        ended = (await exporter.aside(project, "out.zip", "-vv")).ok()
    same_documents(documents(exporter.place("out.zip")), expected)
    assert relay.requests.count("POST /api/token/refresh/") == 1
    assert counts(ended, "requests") == {"requests": len(relay.requests)}
    secret = token.rpartition(".")[2]
    assert secret not in ended.out + ended.err
    written = [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert written == []


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("0" * 40, "no user of this server has this legacy token"),
        ("a.b.c", "is not of this server, or is mutilated"),
        ("", "LABEL_STUDIO_API_KEY"),
    ],
    ids=["legacy", "personal", "empty"],
)
def test_a_wrong_token_is_refused(label_studio: RealLabelStudio, tmp_path: Path, token: str, words: str) -> None:
    """A token that the server does not take ends with 77 (78 where none is given), what to do, and no token shown."""
    exporter = Exporter(tmp_path, label_studio.url, token)
    ended = exporter.export(1, "out.zip")
    assert ended.code == (77 if token else 78), ended.err
    assert words in ended.err
    assert not token or token not in ended.err + ended.out
    assert not exporter.place("out.zip").exists()


async def test_a_forbidden_kind_of_token_is_explained(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """Where legacy tokens are switched off, the message says so and what to make instead."""
    async with label_studio.client() as studio:
        access = await studio.access_token(await studio.create_pat())
        await studio.allow_legacy(allowed=False)
        try:
            ended = Exporter(tmp_path, label_studio.url, label_studio.token).export(1, "out/")
        finally:
            await _allow_legacy(studio, access)
    assert ended.code == 77
    assert "accepts no legacy tokens: make a personal access token" in ended.err


async def _allow_legacy(studio: Studio, access: str) -> None:
    switch = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
    reply = await studio.send(
        "POST", "/api/jwt/settings", body=switch, headers={"Authorization": f"Bearer {access}"}
    )  # fmt: skip
    assert reply.status == 200


@pytest.mark.parametrize("project", ["999999", "No such title"])
def test_an_unknown_project_is_named(label_studio: RealLabelStudio, tmp_path: Path, project: str) -> None:
    """A project that does not exist ends with 78 and its name, and nothing is begun at the destination."""
    exporter = Exporter(tmp_path, label_studio.url, label_studio.token)
    ended = exporter.run("export", "label_studio", "--project", project, "--to", "out.zip")
    assert ended.code == 78
    assert f"no project '{project}'" in ended.err
    assert not exporter.place("out.zip").exists()


def test_something_else_at_the_address_is_not_believed(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """An address below the server's own, where pages for people are, is told from an API."""
    ended = Exporter(tmp_path, f"{label_studio.url}/projects", label_studio.token).export(1, "out/")
    assert ended.code in {75, 78}
    assert "check the url" in ended.err or "is the url" in ended.err, ended.err


async def test_get_prints_what_is_served(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """`get` prints an annotation byte for byte; one that does not exist ends with 78."""
    exporter = Exporter(tmp_path, label_studio.url, label_studio.token)
    async with label_studio.client() as studio:
        project = await studio.create_project("Single")
        (task,) = await studio.import_tasks(project, [{"data": {"image": "ä.png"}}])
        number = await studio.annotate(task, [{"id": "é", "big": 12345678901234567890, "text": "1.10"}])
        served = [(await studio.send("GET", f"/api/annotations/{number}/")).body]
        printed = exporter.run("get", "label_studio", str(number)).ok().out.encode()
        # It says how many minutes ago it was made: the minute may have changed meanwhile.
        served.append((await studio.send("GET", f"/api/annotations/{number}/")).body)
    assert printed in served
    missing = exporter.run("get", "label_studio", "99999999")
    assert (missing.code, missing.out) == (78, "")
    assert "has no annotation 99999999" in missing.err


def test_doctor_names_user_release_and_clock(label_studio: RealLabelStudio, tmp_path: Path) -> None:
    """`doctor` says who the token belongs to and which release answers, and fails with 77 for a wrong token."""
    text = "platforms: {studio: {type: label_studio, url: '%s', token: env:LABEL_STUDIO_API_KEY}}\n"
    (tmp_path / "syncer.yaml").write_text(text % label_studio.url)
    rows = {
        row["what"]: row for row in Exporter(tmp_path, "", label_studio.token).run("doctor", "-o", "json").ok().json()
    }
    assert "admin@example.com" in rows["platform studio"]["detail"]
    assert "1.2" in rows["platform studio"]["detail"]
    assert rows["clock of platform studio"]["result"] == "ok"
    assert Exporter(tmp_path, "", "f" * 40).run("doctor").code == 77


async def test_a_server_that_dies_in_the_middle(tmp_path: Path) -> None:
    """The server is stopped while it lists: exit 75, what is done is kept, and the next run does the rest, once."""
    with label_studio_data() as start:
        async with relaying("http://127.0.0.1:1") as relay:
            with start() as server:
                relay.to(server.url)
                async with server.client() as studio:
                    project = await studio.create_project("Unlucky")
                    await studio.import_tasks(project, list(seed_items(700)))
                    expected = task_documents(await studio.all_tasks(project))
                exporter = Exporter(tmp_path, relay.url, server.token)
                reached = asyncio.Event()
                relay.seen = lambda count: reached.set() if count >= 9 else None
                options = (*HASTY, "--set", "page_size=20", "--set", "read_ahead=1")
                ended = asyncio.create_task(exporter.aside(project, "out.zip", *options))
                await reached.wait()
            dead = await ended
            assert dead.code == 75, dead.err
            assert not report(dead)["complete"]
            assert 0 < report(dead)["counts"]["stored"] < len(expected)
            assert not exporter.place("out.zip").exists() or documents(exporter.place("out.zip"))
            with start() as server:
                relay.to(server.url)
                relay.seen = lambda _: None
                again = (await exporter.aside(project, "out.zip", *HASTY)).ok()
                studio_now = server.client()
                async with studio_now as studio:
                    assert task_documents(await studio.all_tasks(project)) == expected
    done = report(dead)["counts"]["stored"]
    assert report(again)["counts"]["stored"] == len(expected) - done, "something was fetched twice"
    same_documents(documents(exporter.place("out.zip")), expected)
    rows = [row for row in exporter.check("out.zip") if row["kind"] == "task"]
    assert sorted(row["path"] for row in rows) == sorted(expected)
    assert report(again)["problems"] == []


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """Nobody listens: exit 75 within the retry budget, with the address and what to look at."""
    async with relaying("http://127.0.0.1:1") as relay:
        exporter = Exporter(tmp_path, relay.url, "0" * 40)
        relay.cut()
        ended = await exporter.aside(1, "out.zip", *HASTY)
    assert ended.code == 75
    assert relay.url.removeprefix("http://") in ended.err
    refused = await anyio.to_thread.run_sync(lambda: exporter.export(1, "out.zip", *HASTY))
    assert refused.code == 75
    assert "is the server running, and the port right?" in refused.err
