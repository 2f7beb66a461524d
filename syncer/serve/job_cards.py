"""One job on the page: what it does, how far it is, when it runs next, where its data lies, and what may be asked."""

from collections.abc import Iterator, Sequence

from syncer.model.units import show_duration
from syncer.ports import JobView, LiveRun, RunRow
from syncer.serve import words
from syncer.serve.html import Content, Markup, element, join
from syncer.serve.sparkline import BARS, sparkline


def job_card(view: JobView, runs: Sequence[RunRow]) -> Markup:
    """Return the card of a job."""
    anchor = f"job-{view.name}"
    word, tone = words.state(view)
    head = element(
        "header",
        element("h3", view.name, id=f"{anchor}-name"),
        words.badge(word, tone),
        element("p", view.platform, " · ", view.schedule, class_="minor"),
    )
    return element(
        "article",
        head,
        element("div", *_actions(view, anchor), class_="actions"),
        _live(view, view.live) if view.live is not None else None,
        element("dl", *_facts(view), class_="facts"),
        element(
            "div", sparkline(runs), element("small", f"last {len(runs[:BARS])} runs") if runs else None, class_="trend"
        ),
        element("dl", *_places(view), class_="places"),
        id=anchor,
        class_="card",
        aria_labelledby=f"{anchor}-name",
        data_state=word,
        data_name=view.name,
    )


def button(
    text: str, action: str, identity: str, *, about: str, key: str | None = None, disabled: bool = False,
    quiet: bool = False,
) -> Markup:  # fmt: skip
    """Return a form of one button, which works without the script. `about` is read out, not shown."""
    hidden = None if key is None else element("input", type="hidden", name="key", value=key)
    label = element("span", f" {about}", class_="unseen")
    pressed = element(
        "button", text, label, type="submit", id=identity, disabled=disabled, class_="quiet" if quiet else None
    )
    return element("form", hidden, pressed, method="post", action=action)


def _actions(view: JobView, anchor: str) -> Iterator[Markup]:
    where = f"/jobs/{view.name}"
    busy = view.paused or view.state in {"running", "waiting", "draining"}
    yield button("Run now", f"{where}/trigger", f"{anchor}-trigger", about=view.name, disabled=busy)
    if view.paused:
        yield button("Resume", f"{where}/resume", f"{anchor}-resume", about=view.name, quiet=True)
    else:
        yield button("Pause", f"{where}/pause", f"{anchor}-pause", about=view.name, quiet=True)
    if view.owed:
        about = f"of {view.name}"
        yield button(f"Retry {view.owed:,} owed", f"{where}/retry", f"{anchor}-retry", about=about, quiet=True)


def _live(view: JobView, live: LiveRun) -> Markup:
    done = live.stored + live.unchanged + live.owed
    total = live.total
    amount: Content = [element("strong", f"{done:,}"), " items"]
    if total is not None:
        amount = [element("strong", f"{done:,}"), f" of {total:,}"]
    figures = [
        f"{words.rate(live.items_per_second)} items/s",
        f"{words.size(live.bytes_per_second)}/s",
        f"{show_duration(live.eta)} left" if live.eta is not None else "time left not known yet",
    ]
    traffic = [f"{count:,} {word}" for count, word in ((live.retries, "repeated"), (live.throttled, "throttled"))]
    details = [
        live.stage.capitalize(),
        f"{live.stored:,} stored",
        f"{live.unchanged:,} unchanged",
        f"{live.owed:,} owed",
        words.size(live.bytes),
        f"{words.plural(live.requests, 'request', 'requests')} ({', '.join(traffic)})",
    ]
    bar = element(
        "progress",
        max=max(total, 1) if total is not None else None,
        value=min(done, max(total, 1)) if total is not None else None,
        aria_label=f"Progress of {view.name}",
    )
    return element(
        "div",
        bar,
        element("p", element("span", amount), [element("span", each) for each in figures], class_="figures"),
        element("p", join(details, " · "), class_="minor"),
        class_="live",
    )


def _facts(view: JobView) -> Iterator[Markup]:
    if view.paused:
        following: Content = element("span", "paused", class_="none")
    else:
        following = words.moment(view.next_run, "only by hand" if view.state == "never" else "not planned")
    yield _fact("Next run", following)
    yield _fact("Last run", _last(view.last))
    yield _fact("Fresh until", words.moment(view.fresh_until))
    yield _fact("Stored", f"{view.items:,}")
    yield _fact("Owed", element("span", f"{view.owed:,}", class_="held" if view.owed else None))


def _last(run: RunRow | None) -> Content:
    if run is None:
        return words.moment(None)
    word, tone = words.outcome(run)
    return [words.moment(run.started), " ", element("span", word, class_=tone)]


def _places(view: JobView) -> Iterator[Markup]:
    for leg, url in view.sinks.items():
        yield _fact(leg, element("code", url))


def _fact(name: str, value: Content) -> Markup:
    return element("div", element("dt", name), element("dd", value))
