"""The guards that every test runs under."""

import time
from pathlib import Path

from blockbuster import BlockingError

from syncer.model.events import Event, Warned
from syncer.observe.hub import Hub


def _sleepy(event: Event) -> None:
    if isinstance(event, Warned) and event.message == "sleep":
        time.sleep(0.001)


async def test_a_blocking_call_below_the_package_is_an_error() -> None:
    """A `time.sleep` below code of the package raises while the loop runs."""
    heard: list[Event] = []
    hub = Hub([_sleepy, heard.append])
    hub.emit(Warned("sleep"))
    assert BlockingError.__name__ in str(heard[0])


async def test_a_test_itself_may_touch_files(tmp_path: Path) -> None:
    """Only calls below the package count: a test prepares its files on the loop."""
    (tmp_path / "x").write_text("1")
    assert (tmp_path / "x").read_text() == "1"


def test_blocking_without_a_loop_is_fine() -> None:
    """Where no loop runs, the package may block."""
    heard: list[Event] = []
    Hub([_sleepy, heard.append]).emit(Warned("sleep"))
    assert heard == [Warned("sleep")]
