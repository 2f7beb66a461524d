"""`syncer doctor`: everything that can go wrong before a run, tried for real."""

from syncer.cli.options import EVERYWHERE, Everywhere, Output


async def doctor(*, output: Output = "table", here: Everywhere = EVERYWHERE) -> int:
    """Try credentials, destinations, state and clock, and say what to do.

    Destinations are tried by writing, reading and deleting a small file.
    The exit code is that of the worst failure.
    """
    from syncer.cli.checks import checks
    from syncer.cli.context import opened
    from syncer.cli.tables import show
    from syncer.model.report import worst

    async with opened(here) as session:
        found = [check async for check in checks(session.syncer)]
    rows = [{"what": each.what, "result": each.result, "detail": each.detail, "hint": each.hint} for each in found]
    if output == "table":
        show([{**row, "hint": None} for row in rows], output, ("what", "result", "detail"))
        _advise([f"{each.what}: {each.hint}" for each in found if each.result != "ok" and each.hint])
    else:
        show(rows, output)
    return worst(each.code for each in found)


def _advise(hints: list[str]) -> None:
    from syncer.cli.messages import labelled, say

    for hint in hints:
        say(labelled("hint", hint))
