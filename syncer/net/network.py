"""How one platform is reached, as plain values: what `open_http` needs, free of any settings library."""

from pathlib import Path

import msgspec

from syncer.model.secret import Secret

#: Longest pause that a server may ask for, in seconds; a longer wish is shortened to it and shown.
MAX_PAUSE = 15 * 60.0

MIB = 1024 * 1024


class Network(msgspec.Struct, frozen=True):
    """Addresses, trust and limits of one platform."""

    #: The platform's own URL: its origin may see credentials and private addresses.
    url: str
    #: Further URLs that the configuration itself names (a token service); as trusted as `url`.
    own_urls: tuple[str, ...] = ()
    #: Plain http is accepted for loopback, elsewhere only with this.
    allow_http: bool = False
    #: Additional certificate authorities (PEM), beside the system's.
    ca_file: Path | None = None
    #: Client certificate and key (PEM); shown to the platform's own origins only.
    client_cert: Path | None = None
    client_key: Path | None = None
    #: Proxy URL, perhaps with a password; None honours the proxy environment variables.
    proxy: Secret | None = None
    #: Further hosts that content links may point to: `host`, `host:port`, `*.domain` or `http://host:port`.
    content_hosts: tuple[str, ...] = ()
    #: Highest rate; None lets the server's answers decide.
    requests_per_second: float | None = None
    #: Most requests in flight to one origin, and to one that only content links point to; None: the same.
    concurrency: int = 32
    content_concurrency: int | None = None
    #: Attempts of a request in all.
    attempts: int = 5
    #: Seconds for name, TCP and TLS.
    connect_timeout: float = 10.0
    #: Longest silence while an answer is awaited or read, in seconds.
    read_timeout: float = 60.0
    #: Seconds for one attempt in all; content bodies are bound by `read_timeout` and a least speed instead.
    timeout: float = 300.0
    #: Seconds from a request's first failure until it is given up.
    retry_budget: float = MAX_PAUSE
    #: Largest API answer, decompressed bytes.
    max_body: int = 256 * MIB
    #: Largest content body, decompressed bytes.
    max_item: int = 16 * 1024 * MIB
    #: Bytes per second for all bodies together; None: no limit.
    bandwidth: float | None = None
    #: Name of the platform in the configuration, for events.
    platform: str = ""
    #: Name under which its limits are shared with other processes, where they are.
    account: str = ""

    @property
    def store_concurrency(self) -> int:
        """Most requests in flight to an origin that only content links point to."""
        return self.concurrency if self.content_concurrency is None else self.content_concurrency
