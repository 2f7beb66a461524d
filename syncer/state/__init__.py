"""What is remembered between runs: rows, cursors, owed items, claims, history.

`app` opens a store here and hands it to `flow`; everybody else sees only `ports.StateStore` and `ports.Ledger`.
Nothing here talks to a platform or a sink, and nothing here blocks the event loop.
"""

from syncer.state.copying import copy_state
from syncer.state.open import migrate_state, open_quotas, open_state

__all__ = ["copy_state", "migrate_state", "open_quotas", "open_state"]
