"""`syncer erase`: personal data goes from everything that jobs wrote, and does not come back."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from syncer.cli.exits import UsageError
from syncer.cli.options import EVERYWHERE, Everywhere, Yes

if TYPE_CHECKING:
    from syncer.cli.context import Session
    from syncer.model.refs import ItemKey


async def erase(
    *jobs: Annotated[str, Parameter(name="JOB", help="Jobs of the configuration; default: all that read the account.")],
    keys_from: Annotated[
        Path | None,
        Parameter(
            metavar="FILE",
            allow_leading_hyphen=True,
            help="What to erase, one a line: keys, rows of `manifest`, or ids with --project; - is input.",
        ),
    ] = None,
    project: Annotated[str | None, Parameter(metavar="ID", help="The project that plain ids belong to.")] = None,
    platform: Annotated[str | None, Parameter(metavar="NAME", help="Only jobs that read this platform.")] = None,
    groups: Annotated[bool, Parameter(help="Also what others said of the same task or asset.")] = False,
    dry_run: Annotated[bool, Parameter(name=("--dry-run", "-n"), help="Only say what would go.")] = False,
    certificate: Annotated[
        Path | None, Parameter(metavar="PATH", help="Where the certificate goes; default: standard output.")
    ] = None,
    resume: Annotated[bool, Parameter(help="Finish what was begun and interrupted.")] = False,
    again: Annotated[bool, Parameter(help="Erase what an older copy brought back, without naming it.")] = False,
    list_: Annotated[bool, Parameter(name="--list", help="Show the list of what may not come back.")] = False,
    lift: Annotated[bool, Parameter(help="Take what --keys-from names off that list again.")] = False,
    yes: Yes = False,
    here: Everywhere = EVERYWHERE,
) -> int:
    """Erase items, their media and all their versions for good.

    They go from objects, archives, manifests, state and spool, and from
    a list that names nobody every later pass knows that they may not come
    back. An erasure that is interrupted is finished by the same command,
    by --resume, or by the next pass of the job. The certificate, in JSON,
    says what was rewritten and what others may still hold.
    """  # fmt: skip
    chosen = [resume, again, list_, keys_from is not None]
    if sum(chosen) != 1 or (lift and keys_from is None):
        raise UsageError("erase what?", hint="give one of --keys-from FILE, --again, --resume and --list")
    from syncer.app.erasing import Erasure
    from syncer.app.erasing import erase as erase_jobs
    from syncer.app.erasing import resume as resume_jobs
    from syncer.app.suppressed import lift as lift_keys
    from syncer.app.suppressed import listed
    from syncer.cli.confirm import confirmed
    from syncer.cli.context import opened

    async with opened(here, progress=False, readonly=dry_run or list_) as session:
        names = _jobs(session, jobs, platform)
        if list_:
            _print(await listed(session.syncer, names), None)
            return 0
        keys = await _keys(keys_from, project) if keys_from is not None else []
        if lift:
            await confirmed(f"{len(keys):,} items may come back to {', '.join(names)}.", yes=yes)
            session.tell(f"{await lift_keys(session.syncer, names, keys):,} lines were lifted; the next pass lists all")
            return 0
        wanted = Erasure(keys, groups, again)
        if not dry_run and not resume:
            what = (
                "What an older copy brought back" if again else f"{len(keys):,} items, with all that belongs to them,"
            )
            await confirmed(f"{what} is erased from {', '.join(names)} for good.", yes=yes)
        if resume:
            told, code = await resume_jobs(session.syncer, names)
        else:
            told, code = await erase_jobs(session.syncer, names, wanted, dry=dry_run)
        _print(told, certificate)
        for each in told.get("unfinished", ()):
            session.tell(f"{each['job']}: not finished yet: {each['why']}; its next pass goes on with it")
        for name in told.get("elsewhere", ()):
            session.tell(f"{name} holds some of it too, and was not named")
    return code


def _jobs(session: "Session", names: Sequence[str], platform: str | None) -> list[str]:
    known = session.jobs(names)
    if platform is None:
        return known
    wanted = session.syncer.platform(platform).name
    mine = [name for name in known if session.syncer.settings.jobs[name].platform.name == wanted]
    if not mine:
        raise UsageError(f"no job reads {platform}", hint="see: syncer config show")
    return mine


async def _keys(file: Path, project: str | None) -> "list[ItemKey]":
    import anyio.to_thread

    from syncer.model.keys import read_keys

    def read() -> "list[ItemKey]":
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        return read_keys(text.splitlines(), project)

    try:
        keys = await anyio.to_thread.run_sync(read)
    except OSError as error:
        raise UsageError(f"--keys-from {file}: {error.strerror}") from error
    except ValueError as error:
        hint = 'a line is ["annotation","7",null,null,"123"], a row of `manifest -o jsonl`, or an id with --project'
        raise UsageError(f"--keys-from {file}: {error}", hint=hint) from error
    if not keys:
        raise UsageError(f"--keys-from {file}: nothing is named in it")
    return keys


def _print(value: Any, file: Path | None) -> None:  # noqa: ANN401  # whatever JSON can hold
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if file is None:
        print(text)
    else:
        file.write_text(f"{text}\n", "utf-8")
