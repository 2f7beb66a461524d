"""What a job's schedule remembers between processes, as the text that the state keeps."""

import json
from datetime import datetime

import msgspec

from syncer.schedule.due import Past

#: Its name in the state.
NAME = "schedule"


class Memory(msgspec.Struct, frozen=True):
    """The turns of a job, and whether somebody paused it."""

    past: Past | None = None
    paused: bool = False

    def dump(self) -> str:
        """Return it as text."""
        past = self.past
        known = {
            "last": None if past is None else past.last.isoformat(),
            "pace": None if past is None else past.pace,
            "asked": None if past is None or past.asked is None else past.asked.isoformat(),
            "paused": self.paused or None,
        }
        return json.dumps({name: value for name, value in known.items() if value is not None})


def load(text: str | None) -> Memory:
    """Return what a text says; it is our own, of this version or another."""
    if text is None:
        return Memory()
    values = json.loads(text)
    past = None
    if "last" in values:
        asked = values.get("asked")
        past = Past(
            datetime.fromisoformat(values["last"]),
            values.get("pace", 0.0),
            None if asked is None else datetime.fromisoformat(asked),
        )
    return Memory(past, values.get("paused", False))
