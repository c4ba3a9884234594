"""Options that several commands have: their names, what they take, what their help says."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import click

from lamella.cli.completion import complete_file
from lamella.cli.text_file import read_text

__all__ = [
    "Decorator",
    "allow_option",
    "clamp_option",
    "exclude_options",
    "html_option",
    "json_option",
    "list_option",
    "platform_option",
    "read_late",
    "tag_option",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Adds an option to a command."""


def platform_option(*, or_all: bool = False) -> Decorator:
    """Return ``--platform``, the parameter `platform`; `or_all`: it takes ``all``, too."""
    if or_all:
        metavar, about = "OS/ARCH[/V]|all", "Platform, or all (default: this machine's)."
    else:
        metavar, about = "OS/ARCH[/V]", "Platform (default: this machine's)."
    return click.option("--platform", metavar=metavar, help=about)


def tag_option() -> Decorator:
    """Return ``--tag``, the parameter `tags`."""
    about = "Name of the new image; repeat for more names."
    return click.option("-t", "--tag", "tags", multiple=True, metavar="TAG", help=about)


def json_option(about: str = "Print a JSON document (`lamella help json`).") -> Decorator:
    """Return ``--json``, the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=about)


def html_option(about: str) -> Decorator:
    """Return ``--html FILE``, the parameter `html`."""
    return click.option("--html", shell_complete=complete_file, metavar="FILE", help=about)


def list_option(about: str) -> Decorator:
    """Return ``--list FILE``, the parameter `list_file`."""
    return click.option(
        "--list", "list_file", shell_complete=complete_file, metavar="FILE", help=about
    )


def exclude_options(
    about: str = "Leave out these paths; as in .dockerignore.",
    about_file: str = "Leave out what the patterns in FILE match.",
) -> Decorator:
    """Return ``--exclude`` and ``--exclude-from``, together the parameter `exclude`."""
    typed = click.option("--exclude", multiple=True, metavar="PATTERN", help=about)
    from_file = click.option(
        "--exclude-from",
        multiple=True,
        shell_complete=complete_file,
        metavar="FILE",
        help=about_file,
    )

    def put(choices: dict[str, Any]) -> None:
        patterns = _lines(choices.pop("exclude_from"), "--exclude-from")
        choices["exclude"] = (*patterns, *choices["exclude"])

    return read_late((typed, from_file), put)


def allow_option() -> Decorator:
    """Return ``--allow FILE``, which may be repeated: the parameter `allow`, its lines."""
    option = click.option(
        "--allow",
        multiple=True,
        shell_complete=complete_file,
        metavar="FILE",
        help="File that lists what is no secret.",
    )

    def put(choices: dict[str, Any]) -> None:
        choices["allow"] = _lines(choices["allow"], "--allow")

    return read_late((option,), put)


def read_late(options: Sequence[Decorator], put: Callable[[dict[str, Any]], None]) -> Decorator:
    """Return options whose values are read when the command runs; completion reads no file.

    Args:
        options: in the order of the help.
        put: is given all values by parameter, and puts there what the command is to get.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def read(*args: Any, **choices: Any) -> Any:  # noqa: ANN401 - click's, and the command's
            put(choices)
            return command(*args, **choices)

        found: Callable[..., Any] = read
        for option in reversed(options):
            found = option(found)
        return found

    return add


def _lines(paths: Sequence[str], option: str) -> tuple[str, ...]:
    """Return the lines of files."""
    return tuple(line for path in paths for line in read_text(path, option).splitlines())


def clamp_option(about: str = "Limit modification times of the new layer.") -> Decorator:
    """Return ``--clamp-mtime TIME``."""
    return click.option("--clamp-mtime", metavar="TIME", help=about)
