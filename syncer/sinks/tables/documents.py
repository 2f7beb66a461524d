"""Rows of tables, read back by their manifest rows."""

from syncer.model.containers import ending_of
from syncer.sinks.archive.documents import ArchiveDocumentReader
from syncer.sinks.tables.kinds import form_of

READER = ArchiveDocumentReader(lambda name: form_of(ending_of(name) or ""))
