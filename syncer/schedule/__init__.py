"""When runs happen and when they stop: the clock, the one pass of `sync` and `export`, signals.

Called by `app` and `cli`. Knows `flow` through plain callables only; never a platform or a sink.
"""
