"""From argv to an exit code. Commands are imported when they are called: ``--version`` is quick."""

from __future__ import annotations

import importlib
import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import click

from lamella import __version__
from lamella.errors import LamellaError
from lamella.report.text import printable

__all__ = ["main"]

_COMMANDS = {
    "analyze": "tell what the bytes of an image are spent on",
    "completion": "let a shell complete commands, options, images and layers",
    "demo": "make an image, squash it, prove it: no engine, no network",
    "explore": "walk through an image on the terminal: layers, files, what a squash saves",
    "layers": "list the layers of an image",
    "squash": "squash layers of an image into one",
    "verify": "tell whether two images have the same file system and config",
}
_INTERRUPTED = 130
_LOUD = 2
_COMPLETE = "_LAMELLA_COMPLETE"


class _LazyGroup(click.Group):
    """Knows its commands by name; imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"lamella.cli.commands.{cmd_name}")
        command = module.command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Exit codes: 0 done; 1 the image is malformed, can't be squashed so or breaks a
rule, or the result can't be written; 2 wrong usage; 3 nothing to squash (with
--exit-code); 4 the images differ; 5 an engine failed; 130 interrupted.

`lamella COMMAND --help` tells more, `lamella demo` shows it.""",
)
@click.version_option(__version__, message="lamella %(version)s")
def cli() -> None:
    """Squash layers of container images, and leave every other layer as it is.

    \b
    An image is named by where it is:
      NAME or docker-daemon:NAME   in a Docker engine (DOCKER_HOST)
      podman:NAME                  in Podman (also containers-storage:NAME)
      docker://HOST/REPO[:TAG]     in a registry
      docker-archive:FILE[:TAG]    what `docker save` and `podman save` write
      oci:DIR[:TAG]                an OCI image layout
      oci-archive:FILE[:TAG]       an OCI image layout in a tar
      FILE or DIR                  one of these; it is looked at
      -                            an archive on standard input or output
    """  # noqa: D301 - the mark is click's: lines stay as they are


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _prepare()
    try:
        code = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _give_up_stdout()  # whoever read it went away, which is no failure of ours to talk about
        return 1
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - no traceback for users
        message, code = _explain(error)
        if isinstance(error, OSError):
            _give_up_stdout()
        _complain(message, loud=_is_loud(arguments))
    return code


def _prepare() -> None:
    """Being asked to end is like Ctrl-C; a name that a terminal can't show is shown escaped."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Clean up on the way out, once."""
    del frame
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(arguments: list[str]) -> int:
    """Call the command. Click's own `main` would print a blank line when it is interrupted."""
    if _COMPLETE in os.environ:
        cli.main(args=arguments, prog_name="lamella", complete_var=_COMPLETE)
    try:
        with cli.make_context("lamella", list(arguments)) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    return code if isinstance(code, int) else 0


def _explain(error: BaseException) -> tuple[str, int]:
    """Say what went wrong, and how bad it is."""
    match error:
        case click.ClickException():
            return _usage_message(error), error.exit_code
        case LamellaError():
            return str(error), error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return "interrupted; nothing was left behind", _INTERRUPTED
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}", 1
    what = f"unexpected {type(error).__name__}: {error}; please report it (-vv shows where)"
    return what, 1


def _usage_message(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None or isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    return f"{error.format_message().rstrip('.')}; see `{context.command_path} --help`"


def _is_loud(arguments: Sequence[str]) -> bool:
    """Whether -v was given twice, even where the options could not be read."""
    given = arguments[: arguments.index("--")] if "--" in arguments else arguments
    short = sum(a.count("v") for a in given if re.fullmatch("-[qv]+", a))
    return short + list(given).count("--verbose") >= _LOUD


def _complain(message: str, *, loud: bool) -> None:
    with suppress(OSError):
        if loud:
            traceback.print_exc()
        if not message.startswith("Usage:"):
            message = f"lamella: {printable(' '.join(message.splitlines()))}"
        print(message, file=sys.stderr)


def _give_up_stdout() -> None:
    """The interpreter must not complain at exit about what could not be written."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
