"""dlt as its documentation tunes it: the listing by its `rest_api` source, the contents by a deferred transformer.

Runs in an environment of its own: `python dlt_pipeline.py URL TOKEN ITEMS`.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: dlt reads these when it is imported. As many requests as the others have, and both cores for what comes after.
os.environ |= {
    "EXTRACT__WORKERS": "64", "EXTRACT__MAX_PARALLEL_ITEMS": "256", "NORMALIZE__WORKERS": "2", "LOAD__WORKERS": "8",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "5000", "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
}  # fmt: skip

import dlt
from dlt.sources.helpers import requests
from dlt.sources.rest_api import rest_api_source

if __name__ == "__main__":
    url, token, items = sys.argv[1], sys.argv[2], int(sys.argv[3])
    source = rest_api_source(
        {
            "client": {
                "base_url": url,
                "auth": {"type": "bearer", "token": token},
                "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"},
            },
            "resources": [
                {"name": "items", "endpoint": {"path": "items", "params": {"limit": 1000}, "data_selector": "items"}}
            ],
        }
    )

    @dlt.transformer(data_from=source.items.add_limit(max(1, items // 1000)), max_table_nesting=0)
    def documents(page: list[dict[str, str]]) -> Iterator[Any]:
        """Fetch the contents of a page."""

        @dlt.defer
        def get(row: dict[str, str]) -> dict[str, str]:
            return {"id": row["id"], "content": requests.get(row["url"]).text}

        for row in page:
            yield get(row)

    begun = time.perf_counter()
    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.filesystem(Path("out").absolute().as_uri()),
        dataset_name="links",
        pipelines_dir=str(Path("pipelines").absolute()),
    )
    pipeline.run(documents, loader_file_format="jsonl")
    seconds = time.perf_counter() - begun
    assert pipeline.last_trace.last_normalize_info is not None
    done = pipeline.last_trace.last_normalize_info.row_counts["documents"]
    sys.stdout.write(json.dumps({"items": done, "seconds": seconds}) + "\n")
