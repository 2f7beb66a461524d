"""Names of files that hold many items: archives and tables. Pure."""

#: Endings of tables in lines, by how they are compressed.
LINES = {"none": ".jsonl", "gz": ".jsonl.gz", "zst": ".jsonl.zst"}
PARQUET = ".parquet"
#: Added where a file may also hold rows that are not current: no pattern for current files matches it.
HISTORY = ".history"

#: Endings of all files that hold many items, the longer ones first.
ENDINGS = tuple(
    sorted((".zip", *(f"{ending}{more}" for ending in (*LINES.values(), PARQUET) for more in ("", HISTORY))), key=len)
)[::-1]


def ending_of(name: str) -> str | None:
    """Return the ending by which a name is that of a file with many items; None if it is not."""
    return next((ending for ending in ENDINGS if name.endswith(ending)), None)
