"""Reading from a real bucket while it changes: objects and archives that are replaced under the reader."""

from pathlib import Path
from uuid import uuid4

import pytest

from syncer.app.reading import read
from syncer.model.errors import Overtaken
from tests.support.buckets import Server
from tests.support.reading import Stored, digests
from tests.support.s3 import Bucket


@pytest.mark.parametrize("shape", ["prefix", "keep", "current", "append"])
async def test_a_bucket_that_changes_meanwhile(
    tmp_path: Path, seaweed_server: Server, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    """All of one generation or a word about it; the next pass has all of the next one, and lookups follow."""
    bucket = Bucket(seaweed_server, uuid4().hex)
    stored = Stored(tmp_path, shape, items=150, url=bucket.url, size=8000)
    with monkeypatch.context() as patch:
        for name, value in seaweed_server.environment.items():
            patch.setenv(name, value)
        await stored.sync()
        before = stored.truth()
        async with read(bucket.url, patience=20) as labels:
            found = []
            try:
                async for label in labels:
                    if not found:
                        for number in range(1, 151):
                            stored.platform.put(str(number), b'{"again":%d}' % number)
                        stored.platform.delete("150")
                        await stored.sync()
                    found.append(label)
            except Overtaken as error:
                assert shape in {"prefix", "current"}
                assert "was overtaken by" in str(error)  # noqa: PT017  # whether it comes is a matter of time
            else:
                assert digests(found) == before
            await labels.refresh()
            assert digests([label async for label in labels]) == stored.truth()
            assert (await labels.get(stored.platform.key("7"))).content == b'{"again":7}'
    environment = seaweed_server.environment
    storage = {
        "endpoint": seaweed_server.endpoint, "region": "us-east-1", "access_key": environment["AWS_ACCESS_KEY_ID"],
        "secret_key": environment["AWS_SECRET_ACCESS_KEY"],
    }  # fmt: skip
    reading = read(bucket.url, storage=storage)
    assert environment["AWS_SECRET_ACCESS_KEY"] not in repr(reading)
    async with reading as labels:
        assert await labels.count() == 149
