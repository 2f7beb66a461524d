"""`syncer init`: a configuration file to start from."""

from pathlib import Path

import anyio.to_thread

from syncer.cli.exits import UsageError
from syncer.cli.options import EVERYWHERE, Everywhere

_STARTER = """\
# Configuration of syncer. Check it with `syncer doctor`, see what would happen with `syncer plan`,
# and let it happen with `syncer sync`. `syncer config schema` describes every option.

# Where progress is remembered, relative to this file.
state: sqlite:state.db

platforms:
  studio:
    type: label_studio
    url: http://localhost:8080
    # Credentials are references: env:NAME, file:PATH or keyring:SERVICE/USER.
    token: env:LABEL_STUDIO_API_KEY

sinks:
  # One zip archive a project, whole and current after every pass.
  archives:
    type: zip
    url: file:exports
    name: "{project}.zip"
  # One file an item.
  files:
    type: prefix
    url: file:labels
    path: "{project}/{item}.json"
    # When an item was deleted on the platform: keep, tombstone (the manifest says so) or delete.
    on_delete: tombstone

jobs:
  studio:
    platform: studio
    select:
      # Ids or titles, or globs. `syncer projects studio` lists them.
      projects: ["*"]
    sinks: [archives]
    # When `syncer daemon` runs it; `syncer sync` runs it now. Instead of `every`: cron, once, or after another job.
    schedule: {every: 15m}
    # schedule: {cron: "0 2 * * *", timezone: Europe/Stockholm, jitter: 5m}
"""


async def init(*, here: Everywhere = EVERYWHERE) -> int:
    """Write a configuration file to start from.

    It is called syncer.yaml, or as -c says; a file that is there already
    is never replaced.
    """
    from syncer.cli.messages import say

    file = (here.config or Path("syncer.yaml")).expanduser()
    await anyio.to_thread.run_sync(_write, file)
    say(f"wrote {file}; fill in the platform and its projects, then try: syncer doctor")
    return 0


def _write(file: Path) -> None:
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(_STARTER)
    except FileExistsError:
        raise UsageError(f"{file} is there already", hint="name another with -c FILE") from None
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}") from error
