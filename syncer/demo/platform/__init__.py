"""A faithful Label Studio in memory: what it answers, what it can be made to do wrong, and a process of its own for it.

`server` is the whole of it, `process` starts one beside. Never: knows anything of exports.
"""
