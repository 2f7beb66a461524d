"""Errors, named by the smallest thing that has to stop.

    SyncerError
    ├── AttemptFailed          one request; caught in net/retry
    ├── HttpError              a request, retries included; the source decides what it means
    │   ├── Unauthorized  Forbidden  NotFound  Rejected  Unavailable  BadBody  TooLarge  Unsafe
    ├── ItemFailed             one item; caught in flow/fetch, which owes it
    ├── PartitionGone          one partition; caught in flow/discover, which freezes it
    ├── LegFailed              one sink; caught in flow/write, which detaches it
    ├── RunFailed              one run; caught in schedule
    │   ├── NotNow (PlatformAway)  StoreFailed  PermissionRefused  SettingsError (UnknownName)
    │   ├── DestinationChanged  LeaseHeld  Fenced
    └── ProcessFailed          everything; caught in cli

Messages say what happened and where; `hint` says what to do. Neither ever holds a credential.
"""

from enum import IntEnum

from syncer.model.refs import ItemKey


class Exit(IntEnum):
    """Exit codes of the command line. Others script against them."""

    DONE = 0
    BUG = 1
    USAGE = 2
    #: Done, but items are owed, partitions frozen or deletions held back.
    OWING = 3
    #: `verify` found damage, or somebody else changed the destination.
    DAMAGE = 4
    #: Stopped as asked (limits); more remains.
    STOPPED = 5
    #: Not now: lease held, platform, database or disk away, drained by a signal.
    NOT_NOW = 75
    PERMISSION = 77
    SETTINGS = 78


#: The exit code of several jobs is the first of these that occurred.
EXIT_ORDER = (
    Exit.BUG, Exit.SETTINGS, Exit.PERMISSION, Exit.DAMAGE, Exit.NOT_NOW, Exit.OWING, Exit.STOPPED, Exit.DONE,
)  # fmt: skip


class SyncerError(Exception):
    """Anything that syncer itself reports. `str()` is one line for people."""

    exit_code: Exit = Exit.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep the message, and what the reader can do about it."""
        super().__init__(message)
        self.hint = hint


class AttemptFailed(SyncerError):
    """One request failed in a way that another attempt may heal."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None,
                 throttled: bool = False) -> None:  # fmt: skip
        """Keep the status, the server's wish for a pause (seconds), and whether it asked us to slow down."""
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.throttled = throttled


class HttpError(SyncerError):
    """A request that failed for good, retries included."""

    exit_code = Exit.NOT_NOW

    def __init__(self, message: str, *, status: int | None = None, body: bytes = b"", hint: str | None = None) -> None:
        """Keep the status and the first bytes of the answer, redacted, for the source to look at."""
        super().__init__(message, hint=hint)
        self.status = status
        self.body = body


class Unauthorized(HttpError):
    """401, also after a renewed credential."""

    exit_code = Exit.PERMISSION


class Forbidden(HttpError):
    """403."""

    exit_code = Exit.PERMISSION


class NotFound(HttpError):
    """404 or 410."""


class Rejected(HttpError):
    """Any other 4xx: the server understood and will not do it."""

    exit_code = Exit.BUG


class Unavailable(HttpError):
    """The server, or the way to it, did not answer properly within the retry budget."""


class BadBody(HttpError):
    """The answer is not what it says it is: HTML for JSON, cut short, wrong digest, undecodable."""


class TooLarge(HttpError):
    """The answer, or what it decompresses to, is larger than the limit."""


class Unsafe(HttpError):
    """The address, redirect or scheme is one that we never follow."""

    exit_code = Exit.SETTINGS


class ItemFailed(SyncerError):
    """One item can't be had now. It becomes owed; the run goes on."""

    exit_code = Exit.OWING

    def __init__(self, key: ItemKey, reason: str, *, origin: str = "", gone: bool = False) -> None:
        """Name the item, the reason (no body, no credential), and the origin that failed."""
        super().__init__(reason)
        self.key = key
        self.reason = reason
        self.origin = origin
        #: The platform says that the item no longer exists: it leaves the owed list.
        self.gone = gone


class PartitionGone(SyncerError):
    """A partition answers 404 or is absent: never a deletion of its items. It is frozen."""

    exit_code = Exit.OWING


class LegFailed(SyncerError):
    """One sink can't go on. It is detached with its cursors unmoved; the others finish."""

    exit_code = Exit.NOT_NOW

    def __init__(self, message: str, *, leg: str = "", exit_code: Exit = Exit.NOT_NOW, hint: str | None = None) -> None:
        """Name the leg, and the exit code that its cause asks for."""
        super().__init__(message, hint=hint)
        self.leg = leg
        self.exit_code = exit_code


class RunFailed(SyncerError):
    """A run can't go on. What is committed stays; the next run continues."""

    exit_code = Exit.NOT_NOW


class NotNow(RunFailed):
    """Platform, database or disk is away; try again later."""


class Busy(NotNow):
    """Another process holds what is needed, for a moment or until somebody ends it; the message names what."""


class Overtaken(NotNow):
    """A pass over one generation can't be completed: a newer one was published, and replaced what it names."""


class PlatformAway(NotNow):
    """Item after item fails alike: the platform, or what holds its contents, is down."""


class StoreFailed(RunFailed):
    """The store behind a destination can't be used; a sink turns it into `LegFailed`."""

    def __init__(self, message: str, *, exit_code: Exit = Exit.NOT_NOW, hint: str | None = None) -> None:
        """Keep the exit code that its cause asks for."""
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class PermissionRefused(RunFailed):
    """The platform or the destination says no to our credentials."""

    exit_code = Exit.PERMISSION


class SettingsError(RunFailed):
    """The configuration, the selection or a claim can't be right."""

    exit_code = Exit.SETTINGS


class UnknownName(SettingsError):
    """Literal names of a selection that the platform does not have; raised after everything else was yielded."""

    def __init__(self, message: str, *, names: tuple[str, ...], hint: str | None = None) -> None:
        """Keep the names: one that was synced before is frozen, not unknown."""
        super().__init__(message, hint=hint)
        self.names = names


class GenerationGone(SettingsError):
    """A generation of a destination is asked for that is not known any more, or never was."""


class DestinationChanged(RunFailed):
    """Somebody else changed what a checkpoint names."""

    exit_code = Exit.DAMAGE


class ErasedAgain(DestinationChanged):
    """What was erased lies there again."""


class LeaseHeld(RunFailed):
    """Another process works on this unit; the message names it."""


class Fenced(RunFailed):
    """Another process took this unit over; nothing was committed under the old epoch."""


class ContainerLost(SyncerError):
    """An unpublished container is missing or shorter than committed: go back to the published position."""


class Conflict(SyncerError):
    """A compare-and-swap or create-only write found something else than expected."""


class ProcessFailed(SyncerError):
    """The process itself can't go on."""
