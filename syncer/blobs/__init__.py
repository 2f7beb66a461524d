"""Bytes at rest: stores behind the door `Blobs`, and the local spool for bodies too large for memory.

Sinks write through them and `app` opens them by URL. They never touch anything outside their root, know nothing of
items or manifests, and never block the event loop.
"""
