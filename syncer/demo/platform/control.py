"""The private routes below `/_`: faults, counters and clocks of a server that runs in a process of its own."""

import dataclasses
from collections.abc import Callable
from typing import Any

from syncer.demo.platform.answers import Answer, invalid, no_content, ok, page
from syncer.demo.platform.faults import Fault
from syncer.demo.platform.site import Call, Site
from syncer.model.value import asdict


def control(site: Site, call: Call) -> Answer:
    """Answer a control request; these need no token, are not counted, and no fault touches them."""
    handler = _ROUTES.get((call.method, call.path))
    return page(404) if handler is None else handler(site, call)


def _list_faults(site: Site, _: Call) -> Answer:
    return ok([_shown(fault) for fault in site.faults])


def _add_fault(site: Site, call: Call) -> Answer:
    raw = call.json()
    try:
        fault = site.faults.add(**raw)
    except (TypeError, ValueError) as error:
        raise invalid({"fault": [str(error)]}) from None
    return ok(_shown(fault), 201)


def _clear_faults(site: Site, _: Call) -> Answer:
    site.faults.clear()
    return no_content()


def _stats(site: Site, _: Call) -> Answer:
    traffic = site.traffic
    return ok(
        {
            "requests": dict(traffic.requests),
            "statuses": {str(status): count for status, count in traffic.statuses.items()},
            "peak": traffic.peak,
            "refreshes": site.auth.refreshes,
            "projects": {str(number): site.store.counts(number) for number in site.store.projects},
        }
    )


def _log(site: Site, _: Call) -> Answer:
    return ok([asdict(line) for line in site.traffic.log])


def _clear_log(site: Site, _: Call) -> Answer:
    site.traffic.clear()
    return no_content()


def _auth(site: Site, call: Call) -> Answer:
    """Change credentials; any of `{"expire": true, "roll": "…", "legacy": false, "lifetime": 5, "revoke": "…"}`."""
    raw: dict[str, Any] = call.json()
    auth = site.auth
    if raw.get("expire"):
        auth.expire_access()
    if "roll" in raw:
        auth.roll(raw["roll"] or None)
    if "revoke" in raw:
        auth.revoke(raw["revoke"])
    auth.legacy = bool(raw.get("legacy", auth.legacy))
    auth.lifetime = float(raw.get("lifetime", auth.lifetime))
    return ok({"token": auth.token, "legacy": auth.legacy, "lifetime": auth.lifetime})


def _pat(site: Site, _: Call) -> Answer:
    return ok({"token": site.auth.create_pat(site.store.now())}, 201)


def _shown(fault: Fault) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(fault).items() if key not in {"seen", "tat"}}


_ROUTES: dict[tuple[str, str], Callable[[Site, Call], Answer]] = {
    ("GET", "/_faults"): _list_faults,
    ("POST", "/_faults"): _add_fault,
    ("DELETE", "/_faults"): _clear_faults,
    ("GET", "/_stats"): _stats,
    ("GET", "/_log"): _log,
    ("DELETE", "/_log"): _clear_log,
    ("POST", "/_auth"): _auth,
    ("POST", "/_pat"): _pat,
}
