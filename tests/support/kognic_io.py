"""The vendor's own client of Kognic, pointed at an emulated one, and what its users do with it."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import anyio.to_thread
from kognic.io.client import KognicIOClient

T = TypeVar("T")


class Platform(Protocol):
    """Where a client goes, and as whom."""

    url: str

    @property
    def auth(self) -> Any:
        """The identifier and the secret of the client."""


def client(platform: Platform, **more: Any) -> Any:
    """Return a client whose services are all on one origin; it gives up soon."""
    options = {"max_retry_attempts": 2, "max_retry_wait_time": 1, "timeout": 20, **more}
    hosts = ("host", "auth_host", "workspace_api_host", "order_execution_api_host", "annotation_integration_api_host")
    return KognicIOClient(
        auth=(platform.auth.client_id, platform.auth.client_secret),
        **dict.fromkeys((*hosts, "project_management_api_host"), platform.url),
        **options,
    )


async def ask(platform: Platform, question: Callable[[Any], T], **more: Any) -> T:
    """Let the client ask in a thread of its own: it can't be used where a loop runs, and the platform runs on this."""
    return await anyio.to_thread.run_sync(lambda: question(client(platform, **more)))


def archive(asked: Any, project: str, batch: str, annotation_type: str) -> bytes:
    """Save annotations to a zip file, as the vendor's documentation tells its users."""
    zip_buffer = io.BytesIO()
    with zipfile.ZipFile(zip_buffer, "a", zipfile.ZIP_DEFLATED, allowZip64=False) as zip_file:
        for annotation in asked.annotation.get_project_annotations(
            project=project, batch=batch, annotation_type=annotation_type
        ):
            encoded_annotation = io.BytesIO(json.dumps(annotation.content).encode())
            zip_file.writestr(f"{annotation.scene_uuid}.json", encoded_annotation.getvalue())
    return zip_buffer.getvalue()


def entries(data: bytes) -> dict[str, Any]:
    """Return the decoded documents of an archive by their names."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert len(set(opened.namelist())) == len(opened.namelist())
        return {name: json.loads(opened.read(name)) for name in opened.namelist()}
