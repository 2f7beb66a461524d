"""Families of samples as text: what a Prometheus server, a file collector and a Pushgateway read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prometheus_client import ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class _Given(Collector):
    """Families that were collected before, and further collectors to be asked while the text is written."""

    families: Sequence[Metric]
    further: Sequence[Collector] = ()

    def collect(self) -> Iterable[Metric]:
        """Yield them."""
        yield from self.families
        for each in self.further:
            yield from each.collect()


#: The media type of `plain`.
PLAIN = CONTENT_TYPE_PLAIN_0_0_4


def plain(families: Iterable[Metric]) -> bytes:
    """Return the text format that everybody reads; families without samples are left out."""
    return generate_latest(_Given([family for family in families if family.samples]))


class Exposition:
    """Writes what a scrape is answered with; the memory, processor time and open files of the process come along."""

    def __init__(self) -> None:
        """Find the process."""
        # Not registered anywhere: the client's own registry is a global.
        self._process = ProcessCollector(registry=None)

    def text(self, families: Sequence[Metric], accept: str) -> tuple[bytes, str]:
        """Return the text and its media type, as the reader's `Accept` asks. Reads `/proc`: call it in a thread."""
        encode, media_type = choose_encoder(accept)
        return encode(_Given(families, (self._process,))), media_type
