"""The API against its own document: schemathesis asks all that the document allows, and much that it does not."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from syncer.serve.api import Api
from syncer.serve.routes import ROOT
from syncer.serve.shapes import Nothing
from tests.support.desk import lively, owing
from tests.support.visitor import TOKEN, Visitor, visiting

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def running() -> Iterator[Visitor]:
    """The real listener in a loop and thread of its own: schemathesis asks from this one."""
    ready, done = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    found: list[Visitor] = []

    async def serve() -> None:
        desk = lively()
        desk.debts["clinic"] = owing("clinic", 60)
        async with visiting(desk, token=TOKEN) as visitor:
            found.append(visitor)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(60)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(60)
        loop.close()


@pytest.fixture(scope="module")
def document(running: Visitor) -> OpenApiSchema:
    """The document as it is served."""
    return schemathesis.openapi.from_url(
        f"{running.origin}/api/v1/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}
    )


#: All operations of the table that the document is made from, each with sound requests; unsound ones where something
#: can be wrong with a request.
CASES = [
    pytest.param(route.method, ROOT + route.path, mode, id=f"{route.operation}-{mode.value}")
    for route in Api(lively(), lively()).routes()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or route.body is not None or route.query is not Nothing
]


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_the_api_is_what_its_document_says(
    document: OpenApiSchema, running: Visitor, method: str, path: str, mode: GenerationMode
) -> None:
    """Every answer, to requests sound or not, has a status, a media type and a shape that the document names."""

    @settings(max_examples=25, deadline=timedelta(seconds=10))
    @given(case=document[path][method].as_strategy(generation_mode=mode), known=booleans())
    def holds(case: schemathesis.Case, *, known: bool) -> None:
        if "{job}" in path and known and mode is GenerationMode.POSITIVE:
            case.path_parameters["job"] = "clinic"
        # Which jobs there are the document can't say: a request that it finds sound may well be answered with 404.
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=[positive_data_acceptance])

    holds()
    assert running.warnings == []
