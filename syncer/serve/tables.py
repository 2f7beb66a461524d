"""The tables of the page: owed items, platforms, the last runs."""

from collections.abc import Sequence
from hashlib import blake2b
from heapq import nlargest

from syncer.model.checkpoint import OwedItem
from syncer.model.units import show_duration
from syncer.ports import FleetView, FleetWorker, PlatformView, RunRow
from syncer.serve import words
from syncer.serve.board import Snapshot
from syncer.serve.html import Content, Markup, element
from syncer.serve.job_cards import button

#: Runs in the table: of each job, and in all.
_OF_EACH, _IN_ALL = 6, 30

#: A column: its name, and the class of its cells ("number", "wide": left out on a phone).
Column = tuple[str, str | None]

_OWED: Sequence[Column] = (
    ("Item", None), ("Reason", None), ("Tries", "number wide"), ("Next try", "wide"), ("", "end"),
)  # fmt: skip
_PLATFORMS: Sequence[Column] = (
    ("Platform", None), ("State", None), ("Limits now", None), ("Requests", "number"), ("Repeated", "number wide"),
    ("Throttled", "number wide"),
)  # fmt: skip
_FLEET: Sequence[Column] = (
    ("Worker", None), ("State", None), ("At work on", "number"), ("Heard of", "wide"), ("Started", "wide"),
)  # fmt: skip
_TONES = {"working": "good", "draining": "held", "silent": "bad"}
_RUNS: Sequence[Column] = (
    ("Job", None), ("Started", None), ("Took", "number wide"), ("Outcome", None), ("Listed", "number wide"),
    ("Stored", "number"), ("Updated", "number wide"), ("Owed", "number"), ("Data", "number wide"),
)  # fmt: skip


def owed_section(snapshot: Snapshot) -> Markup:
    """Return owed items with their reasons, and a button for each."""
    rows = [_owed_row(view.name, item) for view in snapshot.jobs for item in snapshot.owed.get(view.name, ())]
    total = sum(view.owed for view in snapshot.jobs)
    more = f"{total - len(rows):,} more are not shown." if total > len(rows) else None
    return _section("owed", "Owed items", _OWED, rows, "Nothing is owed: every finished item is stored.", more)


def fleet_section(snapshot: Snapshot) -> Markup:
    """Return the workers of the fleet, and what waits for them."""
    view = snapshot.fleet or FleetView((), (), ())
    queues = [
        f"Queue {each.name}: {each.waiting:,} units wait, {each.running:,} are at work"
        + (f", {each.stalled:,} of them with a worker that fell silent." if each.stalled else ".")
        for each in view.queues
    ]
    accounts = [
        f"{each.name}: {'no limit' if each.rate is None else f'{each.rate:,.1f} requests a second'} together"
        + (f", paused for {show_duration(each.pause)}." if each.pause else ".")
        for each in view.accounts
    ]
    rows = [_worker_row(each) for each in view.workers]
    return _section("fleet", "Fleet", _FLEET, rows, "No worker is there.", " ".join((*queues, *accounts)) or None)


def platforms_section(snapshot: Snapshot) -> Markup:
    """Return the platforms with their limits, throttles and circuits."""
    rows = [_platform_row(each) for each in snapshot.platforms]
    return _section("platforms", "Platforms", _PLATFORMS, rows, "No platform is configured.")


def runs_section(snapshot: Snapshot) -> Markup:
    """Return the last runs of all jobs."""
    # A few of each: else a job that looks every minute would crowd out the one of each night.
    ended = [run for runs in snapshot.runs.values() for run in runs[:_OF_EACH]]
    rows = [_run_row(run) for run in nlargest(_IN_ALL, ended, key=lambda run: run.started)]
    return _section("runs", "Last runs", _RUNS, rows, "Nothing ran yet.")


def _section(
    anchor: str, title: str, columns: Sequence[Column], rows: Sequence[Markup], nothing: str, more: str | None = None
) -> Markup:
    heading = element("h2", title, id=f"{anchor}-title", tabindex=-1)
    note = None if more is None else element("p", more, class_="minor")
    if not rows:
        return element("section", heading, element("p", nothing, class_="nothing"), note, id=anchor)
    unseen = element("span", "What may be asked", class_="unseen")
    heads = [element("th", name or unseen, scope="col", class_=kind, role="columnheader") for name, kind in columns]
    # The roles say what the tags say: they go on saying it where a phone shows each row as a block.
    table = element(
        "table",
        element("thead", element("tr", *heads, role="row"), role="rowgroup"),
        element("tbody", *rows, role="rowgroup"),
        aria_labelledby=f"{anchor}-title",
        role="table",
    )
    return element("section", heading, table, note, id=anchor)


def _row(columns: Sequence[Column], cells: Sequence[Content]) -> Markup:
    (_, kind), *others = columns
    first, *rest = cells
    head = element("th", first, scope="row", class_=kind, role="rowheader")
    tail = [
        element("td", element("div", cell), class_=each, role="cell", data_label=name or None)
        for cell, (name, each) in zip(rest, others, strict=True)
    ]
    return element("tr", head, *tail, role="row")


def _owed_row(job: str, item: OwedItem) -> Markup:
    key = item.key.canonical()
    name = [
        element("span", item.key.item, class_="name"),
        element("small", f"{job} → {item.leg} · {item.key.partition}"),
    ]
    identity = f"owed-{blake2b(f'{job} {item.leg} {key}'.encode(), digest_size=6).hexdigest()}"
    following = words.moment(item.next, "now")
    if item.ignored_until is not None:
        following = words.moment(item.ignored_until)
    again = button("Retry", f"/jobs/{job}/retry", identity, about=f"{item.key.item} of {job}", key=key, quiet=True)
    return _row(_OWED, (name, item.reason, f"{item.attempts:,}", following, again))


def _worker_row(worker: FleetWorker) -> Markup:
    cells: Sequence[Content] = (
        [element("span", worker.name, class_="name"), element("small", ", ".join(worker.queues) or "all queues")],
        words.badge(worker.state.capitalize(), _TONES[worker.state]),
        f"{worker.running:,} of {worker.concurrency:,}",
        f"{show_duration(worker.heard)} ago",
        words.moment(worker.started),
    )
    return _row(_FLEET, cells)


def _platform_row(view: PlatformView) -> Markup:
    word, tone = words.circuit(view.circuit)
    state: Content = words.badge(word, tone)
    if view.circuit == "open" and view.retry_at is not None:
        state = [state, element("small", "tried again ", words.moment(view.retry_at))]
    limits = [_limit(origin, view) for origin in dict.fromkeys((*view.limits, *view.rates))]
    cells: Sequence[Content] = (
        [element("span", view.name, class_="name"), element("small", view.type)],
        state,
        limits or element("span", "not asked yet", class_="none"),
        f"{view.requests:,}",
        f"{view.retries:,}",
        element("span", f"{view.throttled:,}", class_="held" if view.throttled else None),
    )
    return _row(_PLATFORMS, cells)


def _limit(origin: str, view: PlatformView) -> Markup:
    limit, rate = view.limits.get(origin), view.rates.get(origin)
    said = [f"{limit:,} at once"] if limit is not None else []
    if rate is not None:
        said.append(f"{rate:,.1f} a second")
    return element("div", ", ".join(said), element("small", origin, class_="wide"))


def _run_row(run: RunRow) -> Markup:
    counts = words.counts(run)
    word, tone = words.outcome(run)
    problem = words.problem(run)
    cells: Sequence[Content] = (
        element("a", run.job, href=f"#job-{run.job}", class_="name"),
        words.moment(run.started),
        words.took(run),
        [element("span", word, class_=tone), None if problem is None else element("small", problem)],
        f"{counts.get('listed', 0):,}",
        f"{counts.get('stored', 0):,}",
        f"{counts.get('updated', 0):,}",
        element("span", f"{counts.get('owed', 0):,}", class_="held" if counts.get("owed") else None),
        words.size(counts.get("bytes", 0)),
    )
    return _row(_RUNS, cells)
