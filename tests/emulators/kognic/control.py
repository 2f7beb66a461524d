"""The private routes below `/_`, for a server in a process of its own: counters, faults, and what annotators do."""

from dataclasses import asdict
from typing import Any

import msgspec

from tests.emulators.kognic.answers import Answer, answer
from tests.emulators.kognic.documents import openlabel
from tests.emulators.kognic.faults import Fault
from tests.emulators.kognic.site import Site


def control(site: Site, method: str, path: str, body: bytes) -> Answer:
    """Answer a control request; it needs no token, is not counted, and no fault touches it."""
    raw: Any = msgspec.json.decode(body) if body else {}
    match method, path:
        case "GET", "/_stats":
            return answer(
                {**site.traffic.stats(), "grants": dict(site.auth.grants), "token-peak": site.auth.peak}
            )  # fmt: skip
        case "DELETE", "/_stats":
            site.traffic.clear()
        case "GET", "/_faults":
            return answer([asdict(fault) for fault in site.faults])
        case "POST", "/_faults":
            site.faults.take(Fault.from_json(raw))
        case "DELETE", "/_faults":
            site.faults.clear()
        case "POST", "/_edit":
            return answer(_edit(site, raw["action"], raw["inputs"]))
        case "GET", "/_documents":
            size = site.habits.size
            return answer(
                {each.input.scene.uuid: openlabel(each, size).decode() for each in site.world.delivered.values()}
            )  # fmt: skip
        case _:
            return answer({"message": f"no such route: {method} {path}"}, 404)
    return answer({})


def _edit(site: Site, action: str, inputs: list[str]) -> list[str]:
    """Do something to inputs; return the UUIDs of their scenes."""
    scenes = []
    for uuid in inputs or [next(iter(site.world.inputs))]:
        found = site.world.inputs[uuid]
        scenes.append(found.scene.uuid)
        match action:
            case "correct":
                site.world.correct(found)
            case "invalidate":
                site.world.invalidate(found.scene)
            case "delete":
                site.world.delete(found)
            case "finish":
                made = site.world.add(found.request)
                site.world.finish(made)
                scenes[-1] = made.scene.uuid
            case _:
                raise ValueError(action)
    return scenes
