"""From argv to an exit code.

What takes time to import is imported once signals are heeded.
"""

from __future__ import annotations

import io
import re
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from lamella.cli.signals import signals
from lamella.cli.terminal import flush, give_up, one_message, tell, tell_traceback
from lamella.waiting import is_asked_to_end

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_LOUD = 2
_TELL_SECONDS = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code.

    Args:
        argv: its arguments. Without them this is the program itself: it takes those that it was
            started with, heeds signals from now on, and ends when this has returned.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if argv is None:
            signals.heed()
        code = _run(arguments)
        signals.stop()
    except KeyboardInterrupt as error:
        give_up(sys.stdout)  # what it would still get is of no use
        code = _fail(error, arguments)
        signals.stop()
        if argv is None:
            signals.leave(code)
    finally:
        signals.stop()  # completion leaves by SystemExit; a beat while Python ends would kill
    return code


def _run(arguments: list[str]) -> int:
    """Run a command line, and say what went wrong if anything does."""
    try:
        from lamella.cli.group import run  # noqa: PLC0415 - see above

        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        code = run(arguments)
        flush()
    except BrokenPipeError:
        give_up(sys.stdout)  # the reader closed the pipe, which is no failure of lamella
        return 1
    except Exception as error:  # noqa: BLE001 - no traceback for users
        if isinstance(error, OSError):
            give_up(sys.stdout)
        code = _fail(error, arguments)
    return code


def _fail(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what went wrong; return the exit code."""
    from lamella.cli.failures import explain  # noqa: PLC0415 - as above

    message, code = explain(error)
    _complain(error, message, loud=_is_loud(arguments))
    return code


def _is_loud(arguments: Sequence[str]) -> bool:
    """Whether -v was given twice, even where the options could not be read."""
    given = arguments[: arguments.index("--")] if "--" in arguments else arguments
    short = sum(a.count("v") for a in given if re.fullmatch("-[qv]+", a))
    return short + list(given).count("--verbose") >= _LOUD


def _complain(error: BaseException, message: str, *, loud: bool) -> None:
    with suppress(OSError, ValueError):
        if is_asked_to_end() and not _takes_more(sys.stderr):
            return
        if loud:
            tell_traceback(error)
        if message.startswith("Usage:"):
            tell(*message.split("\n"))
        else:
            tell(f"lamella: {one_message(message)}")


def _takes_more(stream: TextIO) -> bool:
    """Whether something can be written at once, or soon: who reads it may have stopped."""
    return bool(select.select((), (stream,), (), _TELL_SECONDS)[1])
