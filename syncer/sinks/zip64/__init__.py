"""The zip format: compressing, appending, reading, merging, scanning and salvaging archives of any size.

`sinks.archive` and `syncer repair --salvage` use it. Never: knows of items, manifests or sessions, or runs on the event
loop; all of it is pure or blocking.
"""
