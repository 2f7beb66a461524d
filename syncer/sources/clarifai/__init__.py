"""Clarifai (https://clarifai.com): one file a section — auth, listing, changes, documents — as in every source.

`app` takes `PLUGIN`; nobody else calls in. Never: sends anything but GET and the annotation search.
"""

from syncer.sources.clarifai.source import PLUGIN

__all__ = ["PLUGIN"]
