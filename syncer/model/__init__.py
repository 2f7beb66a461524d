"""The nouns: frozen values, errors and events that every other room speaks.

Everybody may import from here. Nothing here does I/O, and nothing here imports
more than the standard library.
"""
