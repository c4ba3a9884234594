"""How well the letters of a screen can be read, whatever the sixteen colours of a terminal are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rich.color import Color, ColorType
from rich.segment import Segment
from rich.style import Style

__all__ = ["PALETTES", "Theme", "ratio", "unreadable"]

# What terminals come with: black, red, green, yellow, blue, magenta, cyan, white; the bright ones.
PALETTES: Mapping[str, str] = {
    "xterm": "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5"
    " 7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    "vga": "000000 aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa aaaaaa"
    " 555555 ff5555 55ff55 ffff55 5555ff ff55ff 55ffff ffffff",
    "campbell": "0c0c0c c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc"
    " 767676 e74856 16c60c f9f1a5 3b78ff b4009e 61d6d6 f2f2f2",
    "tango": "2e3436 cc0000 4e9a06 c4a000 3465a4 75507b 06989a d3d7cf"
    " 555753 ef2929 8ae234 fce94f 729fcf ad7fa8 34e2e2 eeeeec",
}
_SCROLLBARS = re.compile("[ \u2581-\u258f]+")
"""Say no more than what keys and titles tell."""
_BORDERS = re.compile("[ \u2500-\u257f]+")
_BORDERS_LEAST = 3.0
"""https://www.w3.org/TR/WCAG22/#non-text-contrast."""


class Theme(NamedTuple):
    """A terminal's sixteen colours, and whether it is dark."""

    palette: str
    dark: bool

    def rgb(self, color: Color | None, *, ground: bool) -> tuple[int, int, int]:
        """Return what is seen of a colour; None is that of the terminal itself."""
        if color is None or color.type is ColorType.DEFAULT:
            return (0, 0, 0) if ground == self.dark else (255, 255, 255)
        assert color.number is not None, f"{color} is none of the sixteen"
        assert color.number < 16, f"{color} is none of the sixteen"
        return _rgb(PALETTES[self.palette].split()[color.number])


def _rgb(digits: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _luminance(rgb: tuple[int, int, int]) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""  # noqa: D415 - an address
    parts = [c / 255 for c in rgb]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""  # noqa: D415 - an address
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def unreadable(segments: Iterator[Segment], least: float = 4.5) -> list[str]:
    """List the texts that have too little contrast on some terminal."""
    found = {}
    for segment in segments:
        style = segment.style or Style()
        if not segment.text.strip() or _SCROLLBARS.fullmatch(segment.text):
            continue
        if style.dim:
            found[segment.text] = "dim"
        for palette in PALETTES:
            for dark in (False, True):
                seen = _contrast(style, Theme(palette, dark))
                if seen < (_BORDERS_LEAST if _BORDERS.fullmatch(segment.text) else least):
                    ground = "dark" if dark else "light"
                    found[segment.text] = f"{seen:.1f}:1 on {palette}, {ground}"
    return [f"{text!r}: {why}" for text, why in found.items()]


def _contrast(style: Style, theme: Theme) -> float:
    return ratio(theme.rgb(style.color, ground=False), theme.rgb(style.bgcolor, ground=True))
