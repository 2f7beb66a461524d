"""Requests and answers as handlers see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

JSON = "application/json"


@dataclass(slots=True)
class Answer:
    """One answer."""

    body: bytes = b""
    status: int = 200
    media: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The request ends with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    #: Name of its route.
    route: str
    path: str
    query: str
    #: Decoded variable segments of the path.
    names: Mapping[str, str]
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def identity(self) -> str:
        """What faults are matched against."""
        return f"{self.method} {self.path}?{self.query}"

    def json(self) -> Any:
        """Return the decoded body.

        Raises:
            Refused: 400.
        """
        try:
            return msgspec.json.decode(self.body or b"{}")
        except msgspec.DecodeError:
            raise refusal(400, "Malformed JSON") from None


def answer(value: Any, status: int = 200) -> Answer:
    """Return a value as JSON."""
    return Answer(msgspec.json.encode(value), status)


def refusal(status: int, message: str) -> Refused:
    """Return a refusal in the form of the API: `{"message": …}`."""
    return Refused(answer({"message": message}, status))


def stamp(moment: datetime) -> str:
    """Return a time as the API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
