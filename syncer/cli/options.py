"""Options that several commands share, declared once: their names and words are part of the contract."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter, Token
from cyclopts.validators import Number

from syncer.cli.exits import UsageError
from syncer.model.units import moment, seconds, size_in_bytes

if TYPE_CHECKING:
    # Half of what `--help` would take: nobody needs an engine to read about it.
    from syncer.flow.job import RunOptions

_EVERYWHERE = Group("On every command", sort_key=90)
_PASS = Group("This pass", sort_key=20)
_AT_LEAST_0 = Number(gte=0)
_AT_LEAST_1 = Number(gte=1)


def _duration(_type: Any, tokens: Sequence[Token]) -> float:  # noqa: ANN401  # cyclopts' converter door
    return seconds(tokens[0].value)


def _size(_type: Any, tokens: Sequence[Token]) -> int:  # noqa: ANN401  # same
    return size_in_bytes(tokens[0].value)


def _moment(_type: Any, tokens: Sequence[Token]) -> datetime:  # noqa: ANN401  # same
    return moment(tokens[0].value)


def _shard(_type: Any, tokens: Sequence[Token]) -> tuple[int, int]:  # noqa: ANN401  # same
    return shard_of(*tokens[0].value.partition("/")[::2])


def shard_of(index: str, count: str) -> tuple[int, int]:
    """Read a 0-based share.

    Raises:
        ValueError: it is none.
    """
    if index.isdecimal() and count.isdecimal() and int(index) < int(count):
        return int(index), int(count)
    message = f"expected I/N with I from 0 to N-1, such as 0/4, got {index[:20]}/{count[:20]}"
    raise ValueError(message)


#: A point in time, aware; without an offset it counts as UTC.
Moment = Annotated[datetime, Parameter(converter=_moment)]
Output = Annotated[
    Literal["table", "json", "jsonl"],
    Parameter(name=("--output", "-o"), help="How data is printed on standard output."),
]
Yes = Annotated[bool, Parameter(name="--yes", help="Do it without asking.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Everywhere:
    """What every command takes."""

    config: Annotated[
        Path | None,
        Parameter(
            name=("--config", "-c"), metavar="FILE", group=_EVERYWHERE,
            help="Configuration file. Default: SYNCER_CONFIG, else syncer.yaml in this folder.",
        ),
    ] = None  # fmt: skip
    sets: Annotated[
        tuple[str, ...],
        Parameter(
            name="--set", metavar="KEY=VALUE", group=_EVERYWHERE,
            help="Override one option of the file by its dotted path. May be repeated.",
        ),
    ] = ()  # fmt: skip
    log_format: Annotated[
        Literal["auto", "console", "json"] | None,
        Parameter(name="--log-format", group=_EVERYWHERE, help="How the log on standard error looks."),
    ] = None
    progress: Annotated[
        Literal["auto", "rich", "plain", "none"],
        Parameter(name="--progress", group=_EVERYWHERE, help="How progress on standard error looks."),
    ] = "auto"
    verbose: Annotated[
        int, Parameter(name=("--verbose", "-v"), count=True, group=_EVERYWHERE, help="Say more; -vv says everything.")
    ] = 0
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), group=_EVERYWHERE, help="Say nothing but errors.")] = False


#: None of them given.
EVERYWHERE = Everywhere()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PassFlags:
    """What one pass of a job is asked to do."""

    relist: Annotated[
        bool,
        Parameter(name=("--full", "--relist"), group=_PASS, help="List everything, and fetch only what differs."),
    ] = False
    refetch: Annotated[bool, Parameter(group=_PASS, help="List and fetch everything again.")] = False
    dry_run: Annotated[
        bool, Parameter(name=("--dry-run", "-n"), group=_PASS, help="Only say what would be done, as `plan` does.")
    ] = False
    max_items: Annotated[
        int | None,
        Parameter(
            name=("--max-items", "--limit"), metavar="N", group=_PASS, validator=_AT_LEAST_1,
            help="Stop after so many items; the next pass goes on there.",
        ),
    ] = None  # fmt: skip
    max_bytes: Annotated[
        int | None, Parameter(metavar="SIZE", group=_PASS, converter=_size, help="Stop after so much data: 2GiB.")
    ] = None
    max_time: Annotated[
        float | None, Parameter(metavar="TIME", group=_PASS, converter=_duration, help="Stop after so long: 30m.")
    ] = None
    shard: Annotated[
        tuple[int, int] | None,
        Parameter(
            metavar="I/N", group=_PASS, converter=_shard, n_tokens=1,
            help="Do share I (from 0) of N. Default: JOB_COMPLETION_INDEX of SYNCER_SHARDS.",
        ),
    ] = None  # fmt: skip
    allow_owed: Annotated[
        int,
        Parameter(metavar="N", group=_PASS, validator=_AT_LEAST_0, help="Exit with 0 with up to N items owed."),
    ] = 0
    max_delete: Annotated[
        int | None,
        Parameter(metavar="N", group=_PASS, validator=_AT_LEAST_0, help="Apply up to N deletions of a unit."),
    ] = None
    prune: Annotated[bool, Parameter(group=_PASS, help="Treat items that are no longer selected as deleted.")] = False
    accept_gone: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="PARTITION", group=_PASS,
            help="Accept that PROJECT[/BATCH[/TYPE]] is gone: its items are deleted. May be repeated.",
        ),
    ] = ()  # fmt: skip
    relayout: Annotated[bool, Parameter(group=_PASS, help="Accept changed names: items move to new places.")] = False
    adopt: Annotated[bool, Parameter(group=_PASS, help="Take the destination over from another state or job.")] = False
    metrics_file: Annotated[
        Path | None,
        Parameter(metavar="PATH", group=_PASS, help="Write the outcome in Prometheus' text format, atomically."),
    ] = None
    push_metrics: Annotated[
        str | None,
        Parameter(metavar="URL", group=_PASS, help="Tell a Prometheus Pushgateway the outcome. Or env:NAME."),
    ] = None
    ping: Annotated[
        str | None,
        Parameter(
            metavar="URL", group=_PASS,
            help="Tell a monitor: GET URL/start, then URL, or URL/CODE if the exit code is not 0. Or env:NAME.",
        ),
    ] = None  # fmt: skip

    def options(self) -> "RunOptions":
        """Return the same for a run.

        Raises:
            UsageError: the environment names no share that makes sense.
        """
        from syncer.flow.job import RunOptions  # see above

        return RunOptions(
            relist=self.relist, refetch=self.refetch, max_items=self.max_items, max_bytes=self.max_bytes,
            max_time=self.max_time, shard=self.shard or shard_from_environment(), max_delete=self.max_delete,
            prune=self.prune, accept_gone=self.accept_gone, relayout=self.relayout, adopt=self.adopt,
        )  # fmt: skip


#: None of them given.
PASS = PassFlags()


def shard_from_environment() -> tuple[int, int] | None:
    """Return the share that Kubernetes gave an indexed Job, if `SYNCER_SHARDS` says how many there are.

    Raises:
        UsageError: the two make no sense together.
    """
    index, count = os.environ.get("JOB_COMPLETION_INDEX"), os.environ.get("SYNCER_SHARDS")
    if not index or not count:
        return None
    try:
        return shard_of(index, count)
    except ValueError as error:
        raise UsageError(f"JOB_COMPLETION_INDEX and SYNCER_SHARDS: {error}") from error
