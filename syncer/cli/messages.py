"""Words for people, on standard error: redacted, and with everything spelt out that a terminal might obey."""

import sys

from syncer.model.errors import SyncerError
from syncer.net.redact import redact_known, redact_text
from syncer.observe.screen import printable
from syncer.settings import SettingsRefused


def say(text: str) -> None:
    """Print a text on standard error; its line breaks stay."""
    print(plain(redact_known(text)), file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """Return a text with everything spelt out that a terminal might obey, its lines kept."""
    return "\n".join(map(printable, text.split("\n")))


def redacted(text: str) -> str:
    """Return a foreign text (a traceback) with whatever looks like a credential masked."""
    return plain(redact_text(text))


def complain(message: str, hint: str | None = None) -> None:
    """Say what happened, and what to do about it."""
    say(labelled("error", message))
    if hint:
        say(labelled("hint", hint))


def warn(message: str, hint: str | None = None) -> None:
    """Say what is odd and no failure."""
    say(labelled("warning", message))
    if hint:
        say(labelled("hint", hint))


def explain(error: SyncerError) -> None:
    """Say an error; of a refused configuration every problem with its own hint."""
    if not isinstance(error, SettingsRefused):
        complain(str(error), error.hint)
        return
    lines = str(error).split("\n")
    if len(lines) == 1:
        complain(lines[0], error.hint)
        return
    say(f"error: {len(lines)} problems in {error.file.name if error.file else 'the configuration'}:")
    for line, problem in zip(lines, error.problems, strict=False):
        say(f"  - {line}")
        if problem.hint:
            say(f"    {problem.hint}")
    own = {problem.hint for problem in error.problems}
    more = [line for line in (error.hint or "").split("\n") if line not in own]
    if any(more):
        say(labelled("hint", "\n".join(more)))


def advised(*hints: str | None) -> str | None:
    """Return several hints as one, a line each."""
    return "\n".join(dict.fromkeys(hint for hint in hints if hint)) or None


def labelled(label: str, text: str) -> str:
    """Return `label: text`, further lines of the text indented below the first."""
    first, *rest = text.split("\n")
    return "\n".join([f"{label}: {first}", *(f"{' ' * (len(label) + 2)}{line}" for line in rest)])
