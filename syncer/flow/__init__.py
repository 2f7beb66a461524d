"""The verbs: what a run does, from discovery to report, in one direction.

Called by `schedule` and `app`. Knows the doors only: never an adapter, never HTTP, files or SQL.
"""
