"""From the arguments that the docker command gives its plugin to an exit code."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import click

from lamella.cli.commands.squash import command as squash
from lamella.cli.plugin.completion import complete
from lamella.cli.plugin.hangup import end_with_docker
from lamella.cli.plugin.options import parse_docker_options, to_variables
from lamella.cli.terminal import tell_traceback
from lamella.errors import UsageError

__all__ = ["run_plugin"]

_NAME = "docker squash"
_SOCKET = "DOCKER_CLI_PLUGIN_SOCKET"


def run_plugin(arguments: Sequence[str], settings: dict[str, Any]) -> int:
    """Run `docker squash`.

    Args:
        arguments: Docker's global options, `squash`, and what was given to it.
        settings: of click, for the command.

    Raises:
        UsageError: Docker's options make no sense, or another command was asked for.
    """
    options, rest = parse_docker_options(arguments)
    after = to_variables(options, os.environ)
    for name in os.environ.keys() - after.keys():
        del os.environ[name]
    os.environ.update(after)
    if address := after.get(_SOCKET):
        end_with_docker(address)
    command = _under_its_name()
    match rest:
        case ["__complete" | "__completeNoDesc" as how, "squash", *words]:
            return complete(command, words, described=how == "__complete")
        case ["help", *_] | []:
            given = ["--help"]
        case ["squash", *given]:
            if options.flags.get("help"):
                given = ["--help"]
        case _:
            raise UsageError(f"expected `docker squash`, got {' '.join(rest):.80}")
    loud = ["-vv"] if options.is_debug else []
    return _call(command, [*loud, *given], settings, is_debug=options.is_debug)


def _under_its_name() -> click.Command:
    """Return the command, which calls itself what was typed."""
    command = copy.copy(squash)
    command.help = (squash.help or "").replace("lamella squash", _NAME)
    return command


def _call(
    command: click.Command, given: list[str], settings: dict[str, Any], *, is_debug: bool
) -> int:
    try:
        with command.make_context(_NAME, given, **settings) as context:
            code = command.invoke(context)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except Exception as error:
        if is_debug and not isinstance(error, BrokenPipeError):
            tell_traceback(error)
        raise
    return code if isinstance(code, int) else 0
