"""What lies in an S3 bucket, as another client sees it: Amazon's own."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from tests.support.buckets import Server


@cache
def _client(endpoint: str, key: str, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 8}),
    )


@dataclass(frozen=True)
class Bucket:
    """A prefix of a server's bucket."""

    server: Server
    prefix: str

    @property
    def client(self) -> Any:
        """The client of this server: the making of one costs more than most of what tests ask it for."""
        keys = self.server.environment
        return _client(self.server.endpoint, keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])

    @property
    def url(self) -> str:
        """What `syncer` is told."""
        return self.server.url(self.prefix)

    def names(self) -> list[str]:
        """Return every name below the prefix, the manifest's included."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.server.bucket, Prefix=f"{self.prefix}/"
        )
        return [entry["Key"].removeprefix(f"{self.prefix}/") for page in pages for entry in page.get("Contents", ())]

    def read(self, name: str) -> bytes:
        """Return an object's bytes."""
        found = self.client.get_object(Bucket=self.server.bucket, Key=f"{self.prefix}/{name}")
        data: bytes = found["Body"].read()
        return data

    def head(self, name: str) -> Any:
        """Return what the server says of an object."""
        return self.client.head_object(Bucket=self.server.bucket, Key=f"{self.prefix}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Replace an object, as another tool would."""
        self.client.put_object(Bucket=self.server.bucket, Key=f"{self.prefix}/{name}", Body=data)

    def delete(self, name: str) -> None:
        """Delete an object, as another tool would."""
        self.client.delete_object(Bucket=self.server.bucket, Key=f"{self.prefix}/{name}")

    def contents(self) -> dict[str, str]:
        """Return the sha256 of every document by name, the manifest left out."""
        client = self.client
        found: dict[str, str] = {}
        for name in self.names():
            if not name.startswith("_manifest/"):
                body = client.get_object(Bucket=self.server.bucket, Key=f"{self.prefix}/{name}")["Body"]
                found[name] = hashlib.sha256(body.read()).hexdigest()
        return found

    def uploads(self) -> list[str]:
        """Return the names of uploads in parts that were begun and never ended."""
        found = self.client.list_multipart_uploads(Bucket=self.server.bucket)
        return [upload["Key"] for upload in found.get("Uploads", ()) if upload["Key"].startswith(f"{self.prefix}/")]
