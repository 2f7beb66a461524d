"""Which platforms share their limits with other processes, and the way to those."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncer.model.errors import SettingsError
from syncer.model.events import Emit
from syncer.net.options import PlatformOptions
from syncer.ports import Quotas
from syncer.settings import Configured, Settings
from syncer.state import open_quotas


def is_shared(platform: Configured, *, fleet: bool) -> bool:
    """Tell whether all processes with the same state keep to a platform's limits together."""
    wish = platform.options.limits.shared if isinstance(platform.options, PlatformOptions) else "never"
    return wish == "always" or (wish == "auto" and fleet)


@asynccontextmanager
async def sharing(settings: Settings, url: str, emit: Emit, *, fleet: bool) -> AsyncIterator[Quotas | None]:
    """Open the way to the others, if any platform shares anything.

    Raises:
        SettingsError: one is to, and the state is not on a server.
    """
    shared = [name for name, platform in settings.platforms.items() if is_shared(platform, fleet=fleet)]
    if not shared:
        yield None
        return
    async with open_quotas(url, emit) as quotas:
        if quotas is None:
            raise SettingsError(
                f"platforms.{shared[0]}.limits.shared: a state in PostgreSQL is needed",
                hint="limits are shared by way of it: write state: postgresql://…, or shared: never",
            )
        yield quotas
