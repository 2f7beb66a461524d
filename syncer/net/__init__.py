"""The way out over HTTP: limits, retries, address rules, resumable downloads and redaction behind the `Http` door.

Sources are given an `Http` made by `client.open_http`, and build on `options`, `pages` and `ahead`; observers may use
`redact`.
Never: knows a platform, stores anything, or lets a credential reach an origin that it was not configured for.
"""
