"""The daemon's HTTP side: probes and metrics on one listener, the page, the API and hooks on another.

Called by `app`'s daemon through `cli`. Sees the rest only through `ports.Overview` and `ports.Control`.
Never: reads state or configuration itself, or decides when anything runs.
"""
