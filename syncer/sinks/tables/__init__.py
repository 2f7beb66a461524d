"""Tables as a destination: one row an item, in lines of JSON or in Parquet, built on the machinery of archives.

`app` takes `JSONL` and `PARQUET`; everything else is the sinks' own. Never: loads pyarrow or zstandard before a file
asks for it, or decides where and when files are written and replaced (`archive` does).
"""

from syncer.sinks.tables.options import JSONL, PARQUET_FILES

__all__ = ["JSONL", "PARQUET_FILES"]
