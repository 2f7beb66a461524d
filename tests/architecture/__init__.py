"""The house itself: floors, sizes, names, docstrings, rules."""
