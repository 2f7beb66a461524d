"""Loads libraries without what they bring along for others: memory that this process would never use.

Asked for `import aiohttp`, Python makes two TLS contexts with all authorities of the system; ours are others. structlog
loads rich, with pygments behind it, for tracebacks that we write plainly, and greenlet if it is there. aiohttp's lists
of hooks, of which we have none, bring the C++ library with them. All of it together is seven megabytes, and a third of
the time. As with `cli/heap.py`, that is a decision of the command.
"""

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from syncer.net.tls import late_context

#: What structlog would load, and do without where it is missing.
_ADORNMENTS = ("rich", "greenlet")
#: What is written in C++, and has a twin in Python that serves as well for a few empty lists.
_FROZEN = "frozenlist._frozenlist"


def load() -> None:
    """Import these libraries, unless they are there. Nothing else may run meanwhile."""
    if "structlog" not in sys.modules:
        with _missing(*_ADORNMENTS):
            import_module("structlog")
    if "aiohttp" not in sys.modules:
        with _late_authorities(), _missing(_FROZEN):
            import_module("aiohttp")


@contextmanager
def _missing(*names: str) -> Iterator[None]:
    """Let packages look as if they were not installed."""
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None is how Python is told so
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(hidden)


@contextmanager
def _late_authorities() -> Iterator[None]:
    """Let contexts that check certificates load authorities when they are first used, and others never."""
    create = ssl.create_default_context
    ssl.create_default_context = late_context  # type: ignore[assignment]  # without arguments it means the same
    ssl.SSLContext.set_default_verify_paths = _nothing  # type: ignore[assignment,method-assign]  # put before the inherited one
    try:
        yield
    finally:
        ssl.create_default_context = create
        del ssl.SSLContext.set_default_verify_paths


def _nothing(_context: ssl.SSLContext) -> None:
    """Load nothing into a context that trusts anybody."""
