"""Observers: the hub, the log, progress, counters."""
