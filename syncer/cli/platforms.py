"""`syncer platforms`: what is configured, and what could be."""

from syncer.cli.options import EVERYWHERE, Everywhere, Output

_COLUMNS = ("name", "type", "url", "title")


async def platforms(*, output: Output = "table", here: Everywhere = EVERYWHERE) -> int:
    """List platforms: those configured, and the types there are."""
    from syncer.cli.context import opened
    from syncer.cli.messages import warn
    from syncer.cli.tables import show

    async with opened(here, readonly=True) as session:
        known = session.syncer.registry
        named = [
            {
                "name": each.name,
                "type": each.type,
                "url": getattr(each.options, "url", None),
                "title": known.source(each.type).title,
            }
            for each in session.syncer.settings.platforms.values()
        ]
        used = {row["type"] for row in named}
        others = [
            {"name": None, "type": kind, "url": None, "title": plugin.title}
            for kind, plugin in sorted(known.sources.items())
            if kind not in used
        ]
        show([*named, *others], output, _COLUMNS)
        for broken in known.broken:
            warn(str(broken))
    return 0
