"""TLS contexts of clients. The authorities of a system are 25 ms of work and a megabyte: loaded once TLS is spoken."""

import os
import ssl
import sys
from typing import Any


class LateContext(ssl.SSLContext):
    """What `ssl.create_default_context` makes, except that the system's authorities come with the first connection.

    Until then it trusts nobody but those that were named to it. `load` may be called earlier, in a thread.
    """

    _late = False

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """Remember to load them; only those that vouch for servers."""
        if purpose is not ssl.Purpose.SERVER_AUTH:
            super().load_default_certs(purpose)
        else:
            self._late = True

    def load(self) -> None:
        """Load what was put off, once. Blocks."""
        if self._late:
            super().load_default_certs()
            self._late = False

    def wrap_socket(self, *args: Any, **named: Any) -> ssl.SSLSocket:  # noqa: ANN401  # as in the standard library
        """Begin TLS on a socket."""
        self.load()
        return super().wrap_socket(*args, **named)

    def wrap_bio(self, *args: Any, **named: Any) -> ssl.SSLObject:  # noqa: ANN401  # as in the standard library
        """Begin TLS beside a transport, as event loops do."""
        self.load()
        return super().wrap_bio(*args, **named)


def late_context() -> LateContext:
    """Return a context with the defaults of `ssl.create_default_context` for clients."""
    context = LateContext(ssl.PROTOCOL_TLS_CLIENT)  # it checks certificates and host names
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.load_default_certs()
    keys = os.environ.get("SSLKEYLOGFILE")
    if keys and not sys.flags.ignore_environment:
        context.keylog_filename = keys
    return context
