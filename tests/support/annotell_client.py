"""The vendor's last client of Annotell, in its own environment: `PYTHON annotell_client.py URL ID SECRET QUESTION…`.

It needs libraries older than ours, so a process answers each question with a line of JSON; see `tests/run.py`.
"""

import asyncio
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Platform(Protocol):
    """Where the client goes, and as whom."""

    url: str

    @property
    def auth(self) -> Any:
        """The identifier and the secret of the client."""


async def ask(platform: Platform, *question: str) -> Any:
    """Return the client's answer to a question; this loop can serve meanwhile."""
    python = os.environ.get("SYNCER_TEST_ANNOTELL")
    assert python, "SYNCER_TEST_ANNOTELL names the Python that has annotell-input-api; tests/run.py makes one"
    words = (python, __file__, platform.url, platform.auth.client_id, platform.auth.client_secret, *question)
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(out)


def _projects(client: Any) -> Any:
    return [each.project for each in client.project.get_projects()]


def _batches(client: Any, project: str) -> Any:
    return [[each.batch, each.status] for each in client.project.get_project_batches(project)]


def _types(client: Any, *home: str) -> Any:
    return client.project.get_annotation_types(*home)


def _inputs(client: Any, project: str, batch: str = "", invalidated: str = "") -> Any:
    found = client.input.get_inputs(project, batch or None, include_invalidated=bool(invalidated))
    return [[each.uuid, each.external_id, each.status] for each in found]


def _by_uuids(client: Any, *uuids: str) -> Any:
    return [each.external_id for each in client.input.get_inputs_by_uuids(list(uuids))]


def _contents(client: Any, *uuids: str) -> Any:
    found = client.annotation.get_annotations(input_uuids=list(uuids))
    return {uuid: [[each.annotation_id, each.export_content] for each in rows] for uuid, rows in found.items()}


def _recipe(client: Any, project: str) -> Any:
    """Download a whole project as the vendor's documentation of the first release tells its users."""
    created = [each.uuid for each in client.input.get_inputs(project) if each.status == "created"]
    return _contents(client, *created)


def _annotations(client: Any, project: str, kind: str, batch: str = "") -> Any:
    found = client.annotation.get_project_annotations(project, kind, batch or None)
    return {each.input_uuid: each.content for each in found}


def _single(client: Any, uuid: str, kind: str) -> Any:
    return client.annotation.get_annotation(uuid, kind).content


_QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "projects": _projects,
    "batches": _batches,
    "types": _types,
    "inputs": _inputs,
    "by-uuids": _by_uuids,
    "contents": _contents,
    "recipe": _recipe,
    "annotations": _annotations,
    "single": _single,
}


def main(arguments: Sequence[str]) -> None:
    """Answer one question."""
    warnings.simplefilter("ignore")
    # Found in the other environment only.
    from annotell.input_api.input_api_client import (  # noqa: PLC0415
        InputApiClient,
    )

    url, client_id, secret, question, *rest = arguments
    client = InputApiClient(auth=(client_id, secret), host=url, auth_host=url, max_retry_attempts=2)
    print(json.dumps(_QUESTIONS[question](client, *rest)))


if __name__ == "__main__":
    main(sys.argv[1:])
