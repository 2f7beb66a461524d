"""Assembles: settings and plug-ins become jobs; the library API that the command line stands on.

Called by `cli`, `demo` and by programs that `import syncer`. Decides nothing about items: that is `flow`.
"""
