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
    platforms = settings.platforms.items()
    if not any(is_shared(platform, fleet=fleet) for _, platform in platforms):
        yield None
        return
    async with open_quotas(url, emit) as quotas:
        asked = [name for name, platform in platforms if is_shared(platform, fleet=False)]
        if quotas is None and asked:
            raise SettingsError(
                f"platforms.{asked[0]}.limits.shared: a state in PostgreSQL is needed",
                hint="limits are shared by way of it: write state: postgresql://…, or leave shared out",
            )
        yield quotas
