"""Colours, where there is a terminal that shows them to somebody who wants them."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from lamella.report.drawing import Paint, plain

__all__ = ["make_painter", "on_terminal"]

_COLOURS: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "live": {"fg": "green"},
    "dead": {"fg": "red"},
    "secret": {"fg": "red", "bold": True},
}


def on_terminal() -> bool:
    """Whether standard output is looked at by a person."""
    return sys.stdout is not None and sys.stdout.isatty()


def make_painter() -> Paint:
    """Return what colours texts: nothing for who set NO_COLOR, https://no-color.org."""
    if not on_terminal() or os.environ.get("NO_COLOR"):
        return plain
    return lambda look, text: click.style(text, **_COLOURS[look]) if text else text
