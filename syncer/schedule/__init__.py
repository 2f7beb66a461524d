"""When runs happen and when they stop: the clock, schedules and their turns, the one pass of `sync`, signals.

Called by `app` and `cli`. Knows `flow` through plain callables only; never a platform or a sink.
"""
