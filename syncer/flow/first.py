"""Task groups raise groups of exceptions; here they become the one error that a report names."""

from syncer.model.errors import SyncerError


def first(group: BaseExceptionGroup[SyncerError]) -> SyncerError:
    """Return the first error of a group, however deep it lies.

    Raises:
        BaseException: it is not one of ours.
    """
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, SyncerError):
        raise error
    return error
