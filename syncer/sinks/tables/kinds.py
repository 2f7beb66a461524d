"""Which form a table has, by the ending of its name. Libraries are loaded when the first file asks for them."""

from typing import TYPE_CHECKING

from syncer.model.containers import HISTORY, LINES, PARQUET
from syncer.model.errors import SettingsError
from syncer.sinks.archive.form import Form
from syncer.sinks.tables.files import zstandard
from syncer.sinks.tables.lines import LinesForm

if TYPE_CHECKING:
    from syncer.sinks.tables.parquet import ParquetForm

#: Bytes of documents in a row group, where nobody says it.
GROUP = 16 << 20


def form_of(ending: str, group: int = GROUP) -> Form:
    """Return what reads and writes files of an ending.

    Raises:
        SettingsError: the library for it is not installed.
    """
    plain = ending.removesuffix(HISTORY)
    if plain == PARQUET:
        return _parquet(ending, group)
    if plain == LINES["zst"]:
        zstandard()
    return LinesForm(ending)


def _parquet(ending: str, group: int) -> "ParquetForm":
    try:
        from syncer.sinks.tables.parquet import ParquetForm  # noqa: PLC0415  # loads a large library
    except ImportError as error:
        message = "Parquet needs a library that is not installed"
        raise SettingsError(message, hint="pip install 'annotation-syncer[parquet]'") from error
    return ParquetForm(ending, group)
