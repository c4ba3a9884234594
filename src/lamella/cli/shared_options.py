"""Options that several commands have: their names, what they take, what their help says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from lamella.cli.completion import complete_file

__all__ = ["Decorator", "html_option", "json_option", "list_option", "platform_option"]

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
