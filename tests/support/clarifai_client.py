"""The vendor's own client on its JSON channel, pointed at the emulated Clarifai."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from google.protobuf import json_format

from tests.emulators.clarifai import ClarifaiPlatform

Message = Any


@dataclass(frozen=True, slots=True)
class Client:
    """Asks in a thread of its own, so that the emulated platform can answer on this loop."""

    platform: ClarifaiPlatform
    app: str = "cars"
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        """Open the channel."""
        channel = ClarifaiChannel.get_json_channel(base_url=self.platform.url)
        object.__setattr__(self, "stub", service_pb2_grpc.V2Stub(channel))

    @property
    def where(self) -> Message:
        """User and app, as each request names them."""
        return resources_pb2.UserAppIDSet(user_id="acme", app_id=self.app)

    async def ask(self, call: str, request: Message) -> Message:
        """Return the answer to one request."""
        method: Callable[..., Message] = getattr(self.stub, call)
        metadata = (("authorization", f"Key {self.platform.key}"),)
        return await anyio.to_thread.run_sync(lambda: method(request, metadata=metadata))

    async def page(self, number: int, size: int, **more: Any) -> Message:
        """Return one page of the app's annotations."""
        request = service_pb2.ListAnnotationsRequest(user_app_id=self.where, page=number, per_page=size, **more)
        return await self.ask("ListAnnotations", request)

    async def annotations(self, size: int = 100) -> list[Message]:
        """Return all annotations as the vendor's users are told to read them: page after page until one is empty."""
        found: list[Message] = []
        number = 1
        while rows := list((await self.page(number, size)).annotations):
            found += rows
            number += 1
        return found


def message_of(document: bytes) -> Message:
    """Return what the client would make of a document of ours."""
    return json_format.ParseDict(json.loads(document), resources_pb2.Annotation())
