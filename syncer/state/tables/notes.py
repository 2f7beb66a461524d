"""Small notes by job: texts under names, for whoever has to remember something between processes."""

from collections.abc import Mapping

from syncer.state.tables.transaction import Transaction

_OF_JOB = "job = (SELECT id FROM jobs WHERE name = ?)"


def recall(transaction: Transaction, job: str) -> Mapping[str, str]:
    """Return the notes of a job."""
    return dict(transaction.execute(f"SELECT name, value FROM memories WHERE {_OF_JOB}", (job,)))  # noqa: S608  # constants


def remember(transaction: Transaction, job: str, name: str, value: str | None) -> None:
    """Write a note; None takes it away."""
    if value is None:
        transaction.execute(f"DELETE FROM memories WHERE {_OF_JOB} AND name = ?", (job, name))  # noqa: S608  # constants
        return
    # A note makes nobody known: until its first run the job counts as forgotten.
    transaction.execute("INSERT INTO jobs (name, forgotten) VALUES (?, TRUE) ON CONFLICT DO NOTHING", (job,))
    transaction.execute(
        "INSERT INTO memories (job, name, value) SELECT id, ?2, ?3 FROM jobs WHERE name = ?1"
        " ON CONFLICT (job, name) DO UPDATE SET value = excluded.value",
        (job, name, value),
    )


def remember_all(transaction: Transaction, job: str, notes: Mapping[str, str]) -> None:
    """Write many notes."""
    for name, value in sorted(notes.items()):
        remember(transaction, job, name, value)
