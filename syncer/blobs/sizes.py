"""Sizes that stores and those who write to them have to agree on."""

#: Bodies up to this many bytes are sent in one request, which makes them visible or not, and nothing in between.
SINGLE = 5 << 20
