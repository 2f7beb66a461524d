"""The state in one SQLite file: one connection, one thread, a whole transaction a hop.

`state.open` and `state.memory` open a store here; nobody else calls.
SQL stays in these files, and no transaction ever spans two hops.
"""
