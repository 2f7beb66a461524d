"""A declarative source of airbyte-cdk with its concurrency on: a stream of rows, and one of documents, a row each.

Records go to a file, as a destination would get them. Runs in an environment of its own:
`python airbyte_source.py URL TOKEN ITEMS`.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

ANYTHING = {"type": "InlineSchemaLoader", "schema": {"type": "object", "additionalProperties": True, "properties": {}}}


def stream(name: str, requester: dict[str, Any], path: list[str], **retriever: Any) -> dict[str, Any]:
    """Return a stream of a manifest."""
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": ["id"],
        "schema_loader": ANYTHING,
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"type": "HttpRequester", "http_method": "GET", **requester},
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": path},
            },
            **retriever,
        },
    }


def manifest(url: str, token: str) -> dict[str, Any]:
    """Return the whole source; as many requests at once as the others have."""
    rows = stream(
        "rows",
        {
            "url_base": url,
            "path": "/items",
            "authenticator": {"type": "BearerAuthenticator", "api_token": token},
            "request_parameters": {"limit": "1000"},
        },
        ["items"],
        paginator={
            "type": "DefaultPaginator",
            "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "cursor"},
            "pagination_strategy": {
                "type": "CursorPagination",
                "cursor_value": "{{ response.next }}",
                "stop_condition": "{{ not response.next }}",
            },
        },
    )
    parent = {"type": "ParentStreamConfig", "stream": rows, "parent_key": "url", "partition_field": "url"}
    documents = stream(
        "documents",
        {"url_base": "{{ stream_partition.url }}"},
        [],
        partition_router={"type": "SubstreamPartitionRouter", "parent_stream_configs": [parent]},
    )
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["documents"]},
        "streams": [documents],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 64, "max_concurrency": 64},
    }


if __name__ == "__main__":
    catalog = {
        "streams": [
            {
                "stream": {
                    "name": "documents", "json_schema": {"type": "object"}, "supported_sync_modes": ["full_refresh"]
                },
                "sync_mode": "full_refresh",
                "destination_sync_mode": "overwrite",
            }
        ]
    }  # fmt: skip
    Path("catalog.json").write_text(json.dumps(catalog))
    Path("config.json").write_text("{}")
    begun = time.perf_counter()
    source = ConcurrentDeclarativeSource(config={}, source_config=manifest(sys.argv[1], sys.argv[2]))
    words = AirbyteEntrypoint.parse_args(["read", "--config", "config.json", "--catalog", "catalog.json"])
    with Path("records.jsonl").open("w") as records:
        records.writelines(f"{message}\n" for message in AirbyteEntrypoint(source).run(words))
    seconds = time.perf_counter() - begun
    with Path("records.jsonl").open() as records:
        done = sum('"type":"RECORD"' in line for line in records)
    assert done == int(sys.argv[3]), f"{done} records"
    sys.stdout.write(json.dumps({"items": done, "seconds": seconds}) + "\n")
