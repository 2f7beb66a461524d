"""All commands, their places in the help, and one line on each. Their modules are imported when they are called."""

import inspect
import re
from collections.abc import Sequence

from cyclopts import App, Group, Parameter

from syncer import __version__

#: Options of `Everywhere` that may also stand before the command, and take a value.
_WITH_VALUE = frozenset({"--config", "-c", "--set", "--log-format", "--progress"})
#: The same without one: `-v`, `-vv`, `-q`.
_FLAG = re.compile(r"--verbose|--quiet|-[vq]+")

_EXPORT = Group("Export and sync", sort_key=1)
_LOOK = Group("Look", sort_key=2)
_CARE = Group("Take care", sort_key=3)
_BEGIN = Group("Set up", sort_key=4)

#: Group, name, what follows the name, what it does.
_COMMANDS: Sequence[tuple[Group, str, str, str]] = (
    (_EXPORT, "export", "PLATFORM --project P --to URL [OPTIONS]", "Export a project, without a configuration file."),
    (_EXPORT, "get", "PLATFORM PART... [OPTIONS]", "Print one document, byte for byte."),
    (_EXPORT, "sync", "[JOB...] [OPTIONS]", "Bring the sinks of jobs in step with their platforms, once."),
    (_EXPORT, "daemon", "[OPTIONS]", "Run jobs by their schedules, until told to stop."),
    (_EXPORT, "worker", "[OPTIONS]", "Work for a fleet, until told to stop."),
    (_EXPORT, "plan", "[JOB...] [OPTIONS]", "Say what sync would do now; nothing is fetched or written."),
    (_LOOK, "status", "[JOB...] [OPTIONS]", "Show what is stored, owed and running."),
    (_LOOK, "history", "[JOB] [OPTIONS]", "Show the last runs."),
    (_LOOK, "manifest", "JOB [OPTIONS]", "Print what is current in a destination, where it lies, and its sha256."),
    (_LOOK, "changes", "JOB --since GENERATION [OPTIONS]", "Print what changed in a destination since a generation."),
    (_LOOK, "platforms", "[OPTIONS]", "List platforms: those configured, and the types there are."),
    (_LOOK, "projects", "PLATFORM [OPTIONS]", "List the projects of a platform."),
    (_LOOK, "batches", "PLATFORM PROJECT [OPTIONS]", "List the batches of a project."),
    (_CARE, "verify", "[JOB...] [OPTIONS]", "Compare destinations with their manifests."),
    (_CARE, "repair", "[JOB] [OPTIONS]", "Fetch again what is missing or damaged, or salvage a broken archive."),
    (_CARE, "compact", "JOB [OPTIONS]", "Rewrite archives without what is no longer current."),
    (_CARE, "retention", "JOB [OPTIONS]", "Remove superseded versions that nobody wants to go back to."),
    (
        _CARE,
        "erase",
        "[JOB...] --keys-from FILE|- [OPTIONS]",
        "Erase items, their media and all their versions for good.",
    ),
    (_CARE, "adopt", "URL --job JOB [OPTIONS]", "Hand a destination over to a job of this configuration."),
    (_BEGIN, "init", "[OPTIONS]", "Write a configuration file to start from."),
    (_BEGIN, "doctor", "[OPTIONS]", "Try credentials, destinations, state and clock, and say what to do."),
    (_BEGIN, "demo", "[DIR] [OPTIONS]", "See all of it at work on an embedded platform: no network, no account."),
)
_FAMILIES: Sequence[tuple[Group, str, str]] = (
    (_CARE, "owed", "Items that could not be had: list, show, retry, ignore."),
    (_CARE, "snapshot", "Generations that stay as they are: create, list, drop."),
    (_CARE, "fleet", "Runs that workers do together: cancel, pause, resume."),
    (_CARE, "state", "What is remembered between runs: export, import, rebuild, reset, rename."),
    (_BEGIN, "config", "The configuration: show it as it was understood, or its schema."),
)


def build() -> App:
    """Return the command line."""
    root = App(
        name="syncer",
        help="rclone for annotations: bulk export and sync of finished labels into archives, folders and buckets.",
        version=__version__,
        # Every option has one spelling, and says itself what happens without it.
        default_parameter=Parameter(negative=(), show_default=False),
        help_format="plaintext",
    )
    for group, name, usage, text in _COMMANDS:
        line = f"Usage: syncer {name} {usage}"
        root.command(f"syncer.cli.{name}:{name}", name=name, help=text, group=group, usage=line)
    for group, name, text in _FAMILIES:
        root.command(f"syncer.cli.{name}:app", name=name, help=text, group=group)
    root.register_install_completion_command(help="Install completion for the shell in use.", group=_BEGIN)
    return root


def family(name: str) -> App:
    """Return an empty group of commands such as `state`, to be filled by its own module."""
    return App(name=name, default_parameter=Parameter(negative=(), show_default=False), help_format="plaintext")


def describe(tokens: Sequence[str]) -> None:
    """Give the command that is called its whole docstring: the list of all commands knows only a line of each."""
    name = next((token for token in tokens if not token.startswith("-")), "")
    if any(name == known for _, known, _, _ in _COMMANDS):
        app[name].help = inspect.getdoc(app[name].default_command) or app[name].help


def hoisted(tokens: Sequence[str]) -> list[str]:
    """Return the words with options that stand before the command moved behind it: `-c FILE sync` is `sync -c FILE`."""
    rest, leading = list(tokens), []
    while rest and rest[0].startswith("-"):
        name, equals, _ = rest[0].partition("=")
        if name not in _WITH_VALUE and not _FLAG.fullmatch(name):
            return list(tokens)
        width = 2 if name in _WITH_VALUE and not equals else 1
        leading += rest[:width]
        rest = rest[width:]
    if not rest:
        return list(tokens)
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *leading, *rest[end:]]


app = build()
