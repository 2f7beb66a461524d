"""An item must not become dearer by accident: its CPU beside that of the bare loop, in one run."""

import json
import sys
from pathlib import Path

from tests.bench.guard import STORED
from tests.support.command import environment
from tests.support.measured import measured
from tests.support.tree import ROOT

#: What may lie between `python -m tests.bench.guard --rounds 10 --write` on a quiet machine and now. The ratio shakes
#: by a tenth; a stage that is done twice, or a hop to a thread for each item, is more than a half.
BAND, WIDE = 1.5, 5.0


def test_an_item_costs_what_it_did(tmp_path: Path) -> None:
    """The CPU of an item, as a multiple of the bare loop's, stays within half of the stored figure."""
    words = [sys.executable, "-m", "tests.bench.guard"]
    found = measured(words, cwd=ROOT, env=environment(tmp_path)).json()
    stored = json.loads(STORED.read_text())
    assert found["ratio"] < BAND * stored["ratio"], (found, stored)
    # Machines differ, but not by so much; beyond that something hangs in both.
    assert found["syncer"] < WIDE * stored["syncer"], (found, stored)
