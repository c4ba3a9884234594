"""Bars, colours and columns of a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

__all__ = ["BAR", "Paint", "cut", "cut_front", "draw_bar", "plain"]

BAR = 20
"""Columns of a bar."""
_NOTED = 0.01

Paint = Callable[[str, str], str]
"""Gives a text (second) the look of what it means (first): ``live``, ``dead``, ``title``,
``secret``."""


def plain(look: str, text: str) -> str:
    """Paint nothing."""
    del look
    return text


def draw_bar(size: int, largest: int, dead: float, paint: Paint, width: int = BAR) -> str:
    """Return a bar, as long as its size is to the largest, with blanks up to the width.

    Args:
        size: how large.
        largest: what would fill the width.
        dead: which part is dead, 0 to 1; more than a hundredth shows.
        paint: gives colours.
        width: in columns.
    """
    cells = max(1, round(width * size / largest)) if size and largest else 0
    gone = round(cells * dead)
    if dead >= _NOTED and cells > 1:
        gone = max(1, gone)
    blank = " " * (width - cells)
    return paint("live", "█" * (cells - gone)) + paint("dead", "░" * gone) + blank


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def cut(text: str, width: int) -> str:
    """Leave out the end of what is too wide."""
    if _columns(text) <= width:
        return text
    while _columns(text) >= width:
        text = text[:-1]
    return text + "…"


def cut_front(text: str, width: int) -> str:
    """Leave out the beginning of what is too wide."""
    return cut(text[::-1], width)[::-1]
