"""Who hears what happens: the log, progress on the terminal, counters; all of them observers of one event stream.

`app` and `cli` assemble them with `open_observers`; the other rooms only know `Emit`.
Never: decides anything, waits for anything, or breaks a run.
"""

from syncer.observe.health import Tally
from syncer.observe.hub import Hub
from syncer.observe.log import Log
from syncer.observe.output import capture_library_logs, open_log
from syncer.observe.progress import Progress
from syncer.observe.screen import printable
from syncer.observe.terminal import Observers, open_observers

__all__ = [
    "Hub",
    "Log",
    "Observers",
    "Progress",
    "Tally",
    "capture_library_logs",
    "open_log",
    "open_observers",
    "printable",
]
