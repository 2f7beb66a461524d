"""A row of small bars that shows the last runs: their height is what they stored, their tone how they ended."""

from collections.abc import Sequence

from syncer.ports import RunRow
from syncer.serve import words
from syncer.serve.html import Markup, element

#: Bars, and units of the drawing: width of a bar with its gap, and height of all.
BARS, STEP, HEIGHT = 24, 5, 28
#: Height of a run that stored nothing: it is there to be seen.
_LEAST = 2


def sparkline(runs: Sequence[RunRow]) -> Markup | None:
    """Return the drawing of some runs, newest first as they come; None where there are none."""
    shown = [run for run in runs if run.ended is not None][:BARS][::-1]
    if not shown:
        return None
    stored = [words.counts(run).get("stored", 0) for run in shown]
    most = max(*stored, 1)
    first = (BARS - len(shown)) * STEP
    bars = [
        _bar(first + index * STEP, _LEAST + round((HEIGHT - _LEAST) * count / most), words.outcome(run)[1])
        for index, (run, count) in enumerate(zip(shown, stored, strict=True))
    ]
    wrong = sum(1 for run in shown if words.outcome(run)[1] == "bad")
    told = f"Last {words.plural(len(shown), 'run', 'runs')}: at most {max(stored):,} stored, {wrong} failed"
    return element(
        "svg", *bars, class_="spark", viewBox=f"0 0 {BARS * STEP} {HEIGHT}", role="img", aria_label=told,
        preserveAspectRatio="none",
    )  # fmt: skip


def _bar(left: int, height: int, tone: words.Tone) -> Markup:
    return element("rect", x=left, y=HEIGHT - height, width=STEP - 2, height=height, rx=1, class_=tone)
