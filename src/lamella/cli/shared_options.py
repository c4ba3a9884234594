"""Options that several commands have: their names, what they take, what their help says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from lamella.cli.completion import complete_file
from lamella.cli.text_file import read_text

__all__ = [
    "Decorator",
    "clamp_option",
    "exclude_options",
    "html_option",
    "json_option",
    "list_option",
    "platform_option",
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

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def read(
            *args: Any,  # noqa: ANN401 - click's
            exclude: tuple[str, ...],
            exclude_from: tuple[str, ...],
            **choices: Any,  # noqa: ANN401 - click's
        ) -> Any:  # noqa: ANN401 - the command's
            texts = [read_text(path, "--exclude-from") for path in exclude_from]
            patterns = [line for text in texts for line in text.splitlines()]
            return command(*args, exclude=(*patterns, *exclude), **choices)

        return typed(from_file(read))

    return add


def clamp_option(about: str = "Limit modification times of the new layer.") -> Decorator:
    """Return ``--clamp-mtime TIME``."""
    return click.option("--clamp-mtime", metavar="TIME", help=about)
