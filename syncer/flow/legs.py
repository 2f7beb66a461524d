"""Legs: the sinks of one run of a unit, opened at the position that the checkpoint names."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import msgspec

from syncer.flow.account import Account
from syncer.model.checkpoint import LegSpec
from syncer.model.entries import Leg
from syncer.model.errors import (
    ContainerLost,
    Exit,
    Fenced,
    LegFailed,
    NotNow,
    PermissionRefused,
    RunFailed,
    SettingsError,
)
from syncer.model.events import Emit, LegDetached, LegReset, PublishedLeg
from syncer.ports import Clock, Ledger, Manifest, Sink, SinkSession, Unit


class LegRun(msgspec.Struct):
    """One sink taking part in a run of a unit."""

    spec: LegSpec
    sink: Sink
    session: SinkSession
    manifest: Manifest
    unit: Unit
    #: The last publish said that compacting is due.
    worn: bool = False

    @property
    def holds(self) -> Callable[[str], bool]:
        """Return what tells of a container's name whether it is one of this unit's."""
        return self.sink.holds(self.unit)


class Legs(msgspec.Struct):
    """The legs that are still taking part."""

    account: Account
    emit: Emit
    live: dict[Leg, LegRun]

    def detach(self, leg: Leg, error: LegFailed | RunFailed) -> None:
        """Take a failed leg out, its cursors unmoved; the others go on.

        Raises:
            RunFailed: it was the last one.
            Fenced: the whole unit is another process's by now.
        """
        if isinstance(error, Fenced):
            raise error
        self.live.pop(leg, None)
        self.emit(LegDetached(leg, str(error)))
        code = error.exit_code
        self.account.trouble(type(error)(f"sink {leg}: {error}", hint=error.hint), code=code, leg=leg)
        if not self.live:
            raise failed(f"sink {leg}: {error}", code, error.hint) from error

    @property
    def names(self) -> frozenset[Leg]:
        """Names of the legs that take part."""
        return frozenset(self.live)


def failed(message: str, code: Exit, hint: str | None) -> RunFailed:
    """Return the run error that leaves with an exit code."""
    kind: Mapping[Exit, type[RunFailed]] = {Exit.PERMISSION: PermissionRefused, Exit.SETTINGS: SettingsError}
    return kind.get(code, NotNow)(message, hint=hint)


async def open_leg(
    stack: AsyncExitStack, sink: Sink, spec: LegSpec, job: str, unit: Unit, ledger: Ledger, *,
    run: str, clock: Clock, emit: Emit,
) -> LegRun:  # fmt: skip
    """Open one sink where its checkpoint stands: first roll a staged publish forward, then resume or start anew.

    Raises:
        LegFailed, RunFailed: the destination can't be used.
    """
    state = (await ledger.legs())[spec.name]
    manifest = sink.manifest(job)
    if state.staged is not None:
        async with sink.session(unit, ledger.epoch, state.resume, state.containers, state.staged) as session:
            published = await session.publish(state.staged)
            items = await ledger.publish(spec.name, published, run, clock.now())
            await session.settle()
        emit(PublishedLeg(spec.name, len(published.containers), items))
        state = (await ledger.legs())[spec.name]
    try:
        opened = await stack.enter_async_context(sink.session(unit, ledger.epoch, state.resume, state.containers))
    except ContainerLost as lost:
        dropped = await ledger.rollback(spec.name)
        emit(LegReset(spec.name, dropped, str(lost)))
        state = (await ledger.legs())[spec.name]
        opened = await stack.enter_async_context(sink.session(unit, ledger.epoch, state.resume, state.containers))
    return LegRun(spec, sink, opened, manifest, unit)
