"""What a pass would do, printed. `plan` and `sync --dry-run` are one code path: this one."""

from collections.abc import Iterator, Sequence

from syncer.cli.context import Advice, Session
from syncer.cli.messages import advised, explain, say, warn
from syncer.cli.tables import Form, Row, emit, json_text, show
from syncer.flow.job import RunOptions
from syncer.flow.preview import Preview
from syncer.model.errors import Exit, SyncerError
from syncer.model.report import worst
from syncer.model.units import show_size
from syncer.model.value import asdict

_COLUMNS = ("job", "sink", "listed", "unchanged", "new", "changed", "gone", "withdrawn", "owed", "fetches", "requests")


async def preview_jobs(
    session: Session,
    jobs: Sequence[str],
    options: RunOptions,
    output: Form,
    advice: Advice = lambda _message, _code: None,
) -> Exit:
    """Compare the jobs with what is stored, print the outcome, and return the exit code."""
    codes: list[Exit] = []
    previews: list[Preview] = []
    for name in jobs:
        try:
            preview = await session.syncer.plan(name, options)
        except SyncerError as error:
            error.hint = advised(error.hint, advice(str(error), error.exit_code))
            explain(error)
            codes.append(error.exit_code)
            continue
        previews.append(preview)
        for problem in preview.problems:
            warn(problem)
            codes.append(Exit.NOT_NOW)
    if output == "table":
        show((row for preview in previews for row in _rows(preview)), output, _COLUMNS)
        for preview in previews:
            for line in _words(preview):
                say(line)
    elif output == "json":
        emit(json_text([_plain(preview) for preview in previews], indent=2))
    else:
        show([_plain(preview) for preview in previews], output)
    return worst(codes)


def _rows(preview: Preview) -> Iterator[Row]:
    for leg, each in preview.legs.items():
        yield {"sink": leg, **_plain(preview), **asdict(each)}


def _words(preview: Preview) -> Iterator[str]:
    size = show_size(preview.bytes)
    unsized = f" and {preview.unsized:,} documents of unknown size" if preview.unsized else ""
    yield f"{preview.job}: {preview.partitions:,} partitions, {preview.fetches:,} documents to write, {size}{unsized}"
    reasons = [f"{count:,} by {reason}" for reason, count in preview.reasons.most_common() if reason not in {"", "new"}]
    if reasons:
        yield f"{preview.job}: changed: {', '.join(reasons)}"


def _plain(preview: Preview) -> Row:
    return {**asdict(preview), "reasons": dict(preview.reasons)}
