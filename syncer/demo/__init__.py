"""The embedded Label Studio: a faithful, in-memory server for the demo, for tests and for trying things out.

Only `cli` and tests may call it. It is never the tool itself: nothing of an export is decided here.
"""
