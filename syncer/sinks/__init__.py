"""The destinations: archives and prefixes below one root, each with its manifest beside the data.

`app` makes them through their `PLUGIN`; the engine sees only the doors `Sink`, `SinkSession` and `Manifest`.
Nothing here decides what is due, and nothing here remembers anything that the destination does not say itself.
"""
