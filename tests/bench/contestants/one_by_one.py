"""What a first script does, and the vendors' documentation: one document after the other, into a `zipfile`."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from tests.bench.contestants.listing import pages


def serial(url: str, token: str, items: str, patience: str) -> tuple[int, float]:
    """Fetch one after the other over one connection."""
    import httpx  # noqa: PLC0415  # each contestant pays for its own imports only

    def fetched() -> Iterator[tuple[str, bytes]]:
        with httpx.Client(trust_env=False) as client:
            for page in pages(url, token, int(items)):
                for name, link in page:
                    yield name, client.get(link).raise_for_status().content

    return _archived(fetched(), patience)


def studio_loop(url: str, token: str, tasks: str, patience: str) -> tuple[int, float]:
    """Get each annotation of a Label Studio project by its id, with the vendor's own SDK."""
    from label_studio_sdk import LabelStudio  # noqa: PLC0415  # each contestant pays for its own imports only

    client = LabelStudio(base_url=url, api_key=token)

    def got() -> Iterator[tuple[str, bytes]]:
        for task in client.tasks.list(project=1, fields="all", page_size=100):
            for each in task.annotations or []:
                annotation = client.annotations.get(id=each["id"])
                yield str(annotation.id), annotation.json().encode()

    return _archived(got(), patience)


def studio_pages(url: str, token: str, tasks: str, patience: str) -> tuple[int, float]:
    """Read the pages of a Label Studio project, with the vendor's own SDK."""
    from label_studio_sdk import LabelStudio  # noqa: PLC0415  # each contestant pays for its own imports only

    client = LabelStudio(base_url=url, api_key=token)
    listed = client.tasks.list(project=1, fields="all", page_size=100)
    return _archived(((str(task.id), task.json().encode()) for task in listed), patience)


def kognic(url: str, client_id: str, client_secret: str, patience: str) -> tuple[int, float]:
    """Save annotations to an archive, as Kognic's documentation tells its users."""
    from tests.emulators.kognic import BATCH, PROJECT, TYPE  # noqa: PLC0415  # each pays for its own imports only
    from tests.support.kognic_io import client  # noqa: PLC0415

    at = SimpleNamespace(url=url, auth=SimpleNamespace(client_id=client_id, client_secret=client_secret))
    asked = client(at, max_retry_attempts=23, timeout=60)

    def got() -> Iterator[tuple[str, bytes]]:
        for annotation in asked.annotation.get_project_annotations(project=PROJECT, batch=BATCH, annotation_type=TYPE):
            yield annotation.scene_uuid, json.dumps(annotation.content).encode()

    return _archived(got(), patience)


def _archived(documents: Iterator[tuple[str, bytes]], patience: str) -> tuple[int, float]:
    """Write documents to an archive until there are no more, or time is up."""
    begun, items = time.perf_counter(), 0
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, body in documents:
            archive.writestr(f"{name}.json", body)
            items += 1
            if time.perf_counter() - begun > float(patience):
                break
    Path("out.zip").write_bytes(buffer.getvalue())
    return items, time.perf_counter() - begun
