"""Who walks in: the command line, one command a file; `main` is the way in.

Nobody imports it but the `syncer` script and `python -m syncer`. Never decides what an item is worth: it parses,
asks `app`, prints data to standard output and everything else to standard error, and returns an exit code.
"""

import inspect
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.util import find_spec

from cyclopts import CycloptsError

from syncer.cli import heap
from syncer.cli.exits import close_pipe, code_of, collapse, die_by, give_up, is_full
from syncer.cli.options import EVERYWHERE, Everywhere
from syncer.cli.tree import app, describe, hoisted
from syncer.model.errors import Exit, SyncerError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; see `Exit` for their meaning."""
    heap.bound()
    tokens = hoisted(sys.argv[1:] if arguments is None else list(arguments))
    try:
        code = _command(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        close_pipe()
    except KeyboardInterrupt:
        die_by(signal.SIGINT)
    except OSError as error:
        if not is_full(error):
            raise
        return give_up(error)
    return code


def _command(tokens: Sequence[str]) -> int:
    here = EVERYWHERE
    try:
        describe(tokens)
        command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
        here = next((value for value in bound.arguments.values() if isinstance(value, Everywhere)), EVERYWHERE)
        call = partial(command, *bound.args, **bound.kwargs)
        result = _run(call) if inspect.iscoroutinefunction(command) else call()
        if command == app.help_print and tokens and not _asks_help(tokens):
            return Exit.USAGE  # `syncer state` names no command; its help was shown instead
    except CycloptsError as error:
        return _usage(error)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # the outermost frame: everything is reported here
        return _failed(collapse(error), verbose=here.verbose > 0)
    return result if isinstance(result, int) else Exit.DONE


def _run(call: Callable[[], Awaitable[object]]) -> object:
    import anyio

    from syncer.cli import lean

    lean.load()
    return anyio.run(call, backend_options={"use_uvloop": find_spec("uvloop") is not None})


def _asks_help(tokens: Sequence[str]) -> bool:
    return any(token in app.help_flags for token in tokens)


def _usage(error: CycloptsError) -> Exit:
    from syncer.cli.messages import complain

    words = " ".join([app.name[0], *(error.command_chain or ())])
    complain(str(error), f"see: {words} --help")
    return Exit.USAGE


def _failed(error: BaseException, *, verbose: bool) -> int:
    if isinstance(error, BrokenPipeError | KeyboardInterrupt) or is_full(error):
        raise error
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else Exit.BUG
    from syncer.cli.messages import complain, explain, redacted

    if isinstance(error, SyncerError):
        explain(error)
    else:
        what = f"{type(error).__name__}: {error}"
        complain(f"this is a bug in syncer: {what}", None if verbose else "run it again with -v for the whole story")
    if verbose:
        sys.stderr.write(redacted("".join(traceback.format_exception(error))))
    return code_of(error)
