"""The demo, and the embedded Label Studio that it runs on: for trying things out, and for tests.

Only `cli` and tests may call it. It is never the tool itself: nothing of an export is decided here.
"""
