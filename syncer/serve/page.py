"""The status page: pieces drawn from one snapshot, each with an id, so that what did not change is not sent again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from syncer.serve import words
from syncer.serve.board import Snapshot
from syncer.serve.files import Assets
from syncer.serve.html import Content, Markup, document, element
from syncer.serve.job_cards import job_card
from syncer.serve.tables import fleet_section, owed_section, platforms_section, runs_section

#: What may be said after a form was sent without the script; `{job}` is a name of the configuration.
SAID: Mapping[str, str] = {
    "trigger": "{job} runs as soon as it may.",
    "busy": "{job} runs already, waits for its turn, or is paused.",
    "pause": "{job} is paused; a run under way goes on.",
    "resume": "{job} is back in the schedule.",
    "retry": "What {job} owes is tried again now.",
    "settled": "{job} owes nothing of that any more.",
}


@dataclass(frozen=True)
class Drawn:
    """A snapshot as HTML."""

    snapshot: Snapshot
    #: By id, in the order of the page.
    pieces: Mapping[str, Markup]

    @cached_property
    def version(self) -> str:
        """A name for exactly this content."""
        return blake2b("\0".join(self.pieces.values()).encode(), digest_size=8).hexdigest()

    @property
    def shape(self) -> tuple[str, ...]:
        """Which pieces there are: another shape needs the page as a whole."""
        return tuple(self.pieces)


def draw(snapshot: Snapshot, before: Drawn | None = None) -> Drawn:
    """Draw all pieces; what is as it was `before` is taken over: most jobs rest most of the time."""
    pieces = {"summary": _summary(snapshot)}
    old = before.snapshot if before is not None else Snapshot(snapshot.taken)
    drawn: Mapping[str, Markup] = before.pieces if before is not None else {}
    known = {view.name: view for view in old.jobs}
    for view in snapshot.jobs:
        name, runs = f"job-{view.name}", snapshot.runs.get(view.name, ())
        same = name in drawn and known.get(view.name) == view and old.runs.get(view.name) == runs
        pieces[name] = drawn[name] if same else job_card(view, runs)
    owing = [(view.name, view.owed) for view in snapshot.jobs]
    tables: tuple[tuple[str, Callable[[Snapshot], Markup], bool], ...] = (
        ("owed", owed_section, owing == [(view.name, view.owed) for view in old.jobs] and old.owed == snapshot.owed),
        ("platforms", platforms_section, old.platforms == snapshot.platforms),
        ("runs", runs_section, old.runs == snapshot.runs),
    )
    if snapshot.fleet is not None:
        tables = (("fleet", fleet_section, old.fleet == snapshot.fleet), *tables)
    for name, section, same in tables:
        pieces[name] = drawn[name] if same and name in drawn else section(snapshot)
    return Drawn(snapshot, pieces)


def page(
    drawn: Drawn, assets: Assets, *, version: str, started: Content, said: str | None = None, signed_in: bool = False
) -> Markup:
    """Return the whole page."""
    jobs = [piece for name, piece in drawn.pieces.items() if name.startswith("job-")]
    cards = jobs or element("p", "No job is configured.", class_="nothing")
    out = element("button", "Sign out", type="submit", class_="quiet") if signed_in else None
    top = element(
        "header",
        element("h1", "syncer"),
        element("p", version, " · started ", started, class_="minor"),
        element("p", element("noscript", "Reload to see changes"), id="link", class_="badge calm"),
        element("form", out, method="post", action="/logout") if out else None,
        class_="top",
    )
    main = element(
        "main",
        element("p", said, id="said", role="status", aria_live="polite"),
        drawn.pieces["summary"],
        element("section", element("h2", "Jobs", id="jobs-title", tabindex=-1), cards, id="jobs"),
        drawn.pieces.get("fleet"),
        drawn.pieces["owed"],
        drawn.pieces["platforms"],
        drawn.pieces["runs"],
        id="main",
        tabindex=-1,
        data_version=drawn.version,
        data_now=f"{drawn.snapshot.taken:%Y-%m-%dT%H:%M:%SZ}",
    )
    skip = element("a", "Skip to the jobs", href="#main", class_="skip")
    return document("syncer", assets.head(script=True), element("body", skip, top, main))


def _summary(snapshot: Snapshot) -> Markup:
    running = sum(1 for view in snapshot.jobs if view.live is not None)
    waiting = sum(1 for view in snapshot.jobs if view.state == "waiting")
    paused = sum(1 for view in snapshot.jobs if view.paused)
    owed = sum(view.owed for view in snapshot.jobs)
    away = sum(1 for each in snapshot.platforms if each.circuit != "closed")
    tiles = [
        _tile("Jobs", len(snapshot.jobs)),
        _tile("Running", running, "busy" if running else None),
        _tile("Waiting", waiting),
        _tile("Paused", paused, "held" if paused else None),
        _tile("Owed items", owed, "held" if owed else None),
        _tile("Unreachable", away, "bad" if away else None),
    ]
    return element(
        "section", element("dl", *tiles, class_="tiles"), *_alarms(snapshot), id="summary", aria_label="At a glance"
    )


def _tile(name: str, count: int, tone: words.Tone | None = None) -> Markup:
    return element("div", element("dt", name), element("dd", f"{count:,}", class_=tone))


def _alarms(snapshot: Snapshot) -> list[Markup]:
    said: list[str] = []
    if snapshot.trouble is not None:
        said.append(f"Shown as it was before: {snapshot.trouble}")
    if snapshot.health is not None:
        said += snapshot.health.reasons
        if snapshot.health.stalled is not None and not any(snapshot.health.stalled in each for each in said):
            said.append(f"{snapshot.health.stalled} does not move")
    return [element("p", text, class_="alarm") for text in said]
