"""Colours, on a terminal, unless the user wants none."""

from __future__ import annotations

import os
import shutil
import sys

from lamella.cli.terminal import colour
from lamella.report.drawing import Paint, plain

__all__ = ["make_painter", "on_terminal", "screen_width"]

_COLOURS = {"title": "1", "live": "32", "dead": "31", "secret": "31;1"}


def on_terminal() -> bool:
    """Whether standard output is looked at by a person."""
    return sys.stdout is not None and sys.stdout.isatty()


def make_painter() -> Paint:
    """Return what colours texts: nothing for who set NO_COLOR, https://no-color.org."""
    if not on_terminal() or os.environ.get("NO_COLOR"):
        return plain
    return lambda look, text: colour(_COLOURS[look], text) if text else text


def screen_width(least: int) -> int:
    """Return how many columns a screen of text has: the terminal's, but so many at least."""
    return max(least, shutil.get_terminal_size().columns) if on_terminal() else least
