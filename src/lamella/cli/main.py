"""From argv to an exit code. Commands are imported when they are called: ``--version`` is quick."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from lamella import __version__
from lamella.errors import LamellaError

__all__ = ["main"]

_COMMANDS = {
    "demo": "make an image, squash it, prove it: no engine, no network",
    "layers": "list the layers of an image",
    "squash": "squash layers of an image into one",
    "verify": "tell whether two images have the same file system and config",
}
_INTERRUPTED = 130
_USAGE = 2


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
    epilog="`lamella COMMAND --help` tells more. Exit codes: 0 done, 1 image can't be squashed or "
    "is malformed, 2 wrong usage, 3 nothing to squash (with --exit-code), 4 images differ, "
    "5 engine failed, 130 interrupted.",
)
@click.version_option(__version__, message="lamella %(version)s")
def cli() -> None:
    """Squash layers of container images, and leave every other layer as it is.

    An image can be in a Docker engine (NAME or docker-daemon:NAME), in an archive
    (docker-archive:FILE, oci-archive:FILE), in an OCI layout (oci:DIR) or come through a pipe (-).
    """


def main(argv: Sequence[str] | None = None) -> int:  # noqa: PLR0911 - one for each way to end
    """Run a command line; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _terminate)
    loud = "-vv" in arguments
    try:
        code = cli.main(args=arguments, prog_name="lamella", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as help_text:
        click.echo(help_text.format_message(), err=True)
        return _USAGE
    except click.UsageError as error:
        return _fail(_usage_message(error), _USAGE, loud=loud)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code, loud=loud)
    except LamellaError as error:
        return _fail(str(error), error.exit_code, loud=loud)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted; nothing was left behind", _INTERRUPTED, loud=loud)
    except BrokenPipeError:
        # Whoever reads stdout went away; the interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for users
        what = f"unexpected {type(error).__name__}: {error}; please report it (-vv shows where)"
        return _fail(what, 1, loud=loud)
    return code if isinstance(code, int) else 0


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Being asked to end is like Ctrl-C: everything is cleaned up on the way out."""
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _usage_message(error: click.UsageError) -> str:
    where = f"; see `{error.ctx.command_path} --help`" if error.ctx else ""
    return error.format_message().rstrip(".") + where


def _fail(message: str, code: int, *, loud: bool) -> int:
    if loud:
        traceback.print_exc()
    line = " ".join(message.split("\n"))
    print(f"lamella: {line}", file=sys.stderr)
    return code
