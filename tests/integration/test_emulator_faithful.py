"""The emulated Label Studio answers like the real one: the same requests, sent to both, side by side."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.labelstudio import RealLabelStudio
from tests.support.shapes import difference, outline, refusal
from tests.support.side_by_side import both
from tests.support.studio import Studio

pytestmark = pytest.mark.timeout(600)

INCLUDE = (
    "id,data,meta,created_at,updated_at,inner_id,is_labeled,total_annotations,updated_by,annotations,result,"
    "was_cancelled,completed_by,ground_truth,lead_time,task,project,import_id,parent_prediction,parent_annotation,"
    "draft_created_at,last_action"
)


LISTINGS: Sequence[dict[str, Any]] = (
    {"fields": "all"},
    {},
    {"fields": "all", "include": INCLUDE, "resolve_uri": "false"},
    {"fields": "all", "include": "id,annotations"},
    {"fields": "all", "include": "id,result"},
    {"fields": "all", "include": "id,drafts,predictions"},
    {"include": "id,annotations"},
    {"include": "id, data"},
    {"include": ""},
    {"include": "bogus"},
    {"fields": "bogus", "page_size": 3},
    {"page_size": 20, "page": 3, "include": "id"},
    {"page_size": 50, "page": "last", "include": "id"},
    {"page_size": 0, "include": "id"},
    {"page_size": -1, "include": "id"},
    {"page_size": "many", "include": "id"},
    {"only_annotated": "true", "include": "id"},
)

OBJECTS = (
    "/api/tasks/{t0}/",
    "/api/tasks/{t1}",
    "/api/tasks/{t1}/?include=id,annotations,updated_at",
    "/api/tasks/{t1}/annotations/",
    "/api/projects/{p}/",
    "/api/projects/{p}/?include=id,title",
    "/api/projects/{p}/tasks/?page_size=5",
    "/api/projects/?ids={p}",
    "/api/projects?ids={p}&include=id,title,task_number",
    "/api/projects/counts/?ids={p}",
    "/api/projects/counts/?ids={p}&include=id,task_number",
    "/api/projects/?title=no-such-title",
    "/api/projects/{p}/exports/",
    "/api/dm/views/?project={p}",
    "/api/users",
    "/api/users/1/",
    "/api/jwt/settings",
)

REFUSALS = (
    "/api/tasks",
    "/api/tasks?project=word",
    "/api/tasks?project=99999999",
    "/api/tasks?view=99999999",
    "/api/tasks?project={p}&page=2",
    "/api/tasks?project={p}&page=0",
    "/api/tasks?project={p}&page=-1",
    "/api/tasks?project={p}&page=word",
    "/api/tasks/99999999/",
    "/api/tasks/99999999",
    "/api/tasks/word/",
    "/api/tasks/99999999/annotations/",
    "/api/annotations/99999999/",
    "/api/annotations/word/",
    "/api/projects/99999999/",
    "/api/projects/word/",
    "/api/projects/?page=99999",
    "/api/projects/?page=0",
    "/api/projects/?ids=word",
    "/api/projects/{p}/tasks/?page=99",
    "/api/projects/99999999/export?exportType=JSON",
    "/api/projects/{p}/export?exportType=NONE",
    "/api/projects/{p}/exports/99999999",
    "/api/projects/99999999/exports/",
    "/api/dm/views/99999999/",
    "/api/dm/views/?project=99999999",
    "/api/users/99999999/",
    "/api/current-user/whoami/",
    "/api/token/refresh/",
    "/api/no-such-thing",
    "/no-such-thing",
)


async def test_listings_have_the_same_shape(label_studio: RealLabelStudio) -> None:
    """A task listing has the same rows, keys, order of keys and types, whatever fields are asked for."""
    async with both(label_studio) as (real, emulated):
        for params in LISTINGS:
            expected = outline(await real.get("/api/tasks", project=real.project, **params))
            found = outline(await emulated.get("/api/tasks", project=emulated.project, **params))
            assert difference(expected, found) == "", params
            assert expected[0] == 200


async def test_objects_have_the_same_shape(label_studio: RealLabelStudio) -> None:
    """Single objects, project pages, counters, users and settings have the same keys and types."""
    async with both(label_studio) as (real, emulated):
        for path in OBJECTS:
            expected = outline(await real.get(path))
            assert difference(expected, outline(await emulated.get(path))) == "", path
            assert expected[0] == 200


async def test_annotations_one_by_one_have_the_same_shape(label_studio: RealLabelStudio) -> None:
    """An annotation fetched by its id has the same keys and types, in every state."""
    async with both(label_studio, 20) as (real, emulated):
        rows = [(await side.studio.tasks(side.project, fields="all"))["tasks"] for side in (real, emulated)]
        for one, other in zip(*rows, strict=True):
            for left, right in zip(one["annotations"], other["annotations"], strict=True):
                expected = outline(await real.get(f"/api/annotations/{left['id']}/"))
                assert outline(await emulated.get(f"/api/annotations/{right['id']}/")) == expected


async def test_project_pages_link_alike(label_studio: RealLabelStudio) -> None:
    """Pages of projects name their neighbours in the same way, and start with the newest project."""
    async with both(label_studio, 1) as (real, emulated):
        links = []
        for side in (real, emulated):
            more = [await side.studio.create_project(f"linked {number}") for number in range(3)]
            ids = ",".join(map(str, more))
            for page in (1, 2, 3, "last"):
                body = (await side.get("/api/projects/", page=page, page_size=1, include="id", ids=ids)).json()
                places = [more.index(row["id"]) for row in body["results"]]
                texts = [link and link.replace(side.studio.url, "") for link in (body["next"], body["previous"])]
                links.append(
                    (body["count"], places, [text and text.replace("%2C".join(map(str, more)), "…") for text in texts])
                )
            for number in more:
                await side.studio.delete_project(number)
        assert links[:4] == links[4:]
        assert links[0][1] == [2]


async def test_refusals_are_the_same(label_studio: RealLabelStudio) -> None:
    """Every refusal has the same status, challenge and words, and is HTML of the same size where it is HTML."""
    async with both(label_studio, 2) as (real, emulated):
        for path in REFUSALS:
            expected = refusal(await real.get(path))
            assert refusal(await emulated.get(path)) == expected, path
            assert expected[0] >= 400


async def test_credentials_are_refused_alike(label_studio: RealLabelStudio) -> None:
    """A missing, wrong, expired or misplaced credential gets the same 401, on every kind of route."""
    async with both(label_studio, 1) as (real, emulated):
        answers: list[list[Any]] = []
        for side in (real, emulated):
            studio, seen = side.studio, list[Any]()
            pat = await studio.create_pat()
            access = await studio.access_token(pat)
            for headers in _headers(studio.token, pat, access):
                seen.append(refusal(await studio.send("GET", "/api/projects/?include=id&ids=0", headers=headers)))
            for path in ("/api/version/", "/api/projects/99999999/", "/api/no", "/api/projects/1/export"):
                seen.append((await studio.send("GET", path, headers={})).status)
            for body in ({}, {"refresh": "bad"}, {"refresh": access}):
                seen.append(refusal(await studio.send("POST", "/api/token/refresh/", body=body, headers={})))
            await studio.create_pat()
            revoked = await studio.send("POST", "/api/token/refresh/", body={"refresh": pat}, headers={})
            seen.append(refusal(revoked))
            seen.append(refusal(await studio.send("POST", "/api/token/")))
            seen.append(await _legacy_off(studio))
            answers.append(seen)
        for expected, found in zip(*answers, strict=True):
            assert found == expected


async def test_exports_have_the_same_shape(label_studio: RealLabelStudio) -> None:
    """The synchronous export and a snapshot have the same documents in the same form, and the digest that they name."""
    async with both(label_studio) as (real, emulated):
        outlines: list[list[Any]] = []
        for side in (real, emulated):
            seen = [
                outline(await side.get("/api/projects/{p}/export", exportType="JSON", download_all_tasks="true"))[:2]
            ]
            made = await side.studio.send("POST", f"/api/projects/{side.project}/exports/", body={})
            seen.append(outline(made))
            one = f"/api/projects/{side.project}/exports/{made.json()['id']}"
            seen.append(outline(await side.get(one)))
            file = await side.get(f"{one}/download", exportType="JSON")
            seen.append(outline(file))
            seen.append(("Content-Length" in file.headers, file.headers["Connection"]))
            outlines.append(seen)
        assert outlines[0] == outlines[1]


def _headers(token: str, pat: str, access: str) -> Sequence[dict[str, str]]:
    return (
        {},
        {"Authorization": "Token bad"},
        {"Authorization": f"Token {'0' * 40}"},
        {"Authorization": "Token"},
        {"Authorization": "Token a b"},
        {"Authorization": "Unheard of"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"Bearer {pat}"},
        {"Authorization": f"Token {pat}"},
        {"Authorization": f"Bearer {access[:-3]}abc"},
        {"Authorization": f"Bearer {access}"},
        {"Authorization": f"token {token}"},
        {"X-Api-Key": "bad"},
        {"X-Api-Key": token},
        {"X-Api-Key": token, "Authorization": "Token bad"},
    )


async def _legacy_off(studio: Studio) -> Any:
    """Return what a legacy token gets where legacy tokens are off; they are on again afterwards."""
    access = await studio.access_token(await studio.create_pat())
    await studio.allow_legacy(allowed=False)
    try:
        return refusal(await studio.send("GET", "/api/users"))
    finally:
        await studio.send(
            "POST",
            "/api/jwt/settings",
            body={"api_tokens_enabled": True, "legacy_api_tokens_enabled": True},
            headers={"Authorization": f"Bearer {access}"},
        )
