"""How rows look: safe, whatever an image calls its files, and aligned."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells
from rich.text import Text

from lamella.analysis.browse import ADDED, CHANGED, DELETED, UNCHANGED, Row
from lamella.report.text import human_size, printable
from lamella.tar.entry import path_text

__all__ = ["COLUMN", "MARKS", "row_text", "shown"]

COLUMN = 9
"""Columns of a size."""
_WIDEST = 400

_LEFT_OUT = "✗"
MARKS = {ADDED: "+", CHANGED: "~", DELETED: "-", UNCHANGED: " "}
_LOOKS = {
    ADDED: "black on bright_green",
    CHANGED: "black on bright_yellow",
    DELETED: "bright_white on red",
    UNCHANGED: "",
}
"""Letters and ground: whether the terminal is light or dark is not known."""


def shown(name: bytes) -> str:
    """Return a name as one line that does nothing to a terminal."""
    # Of a name of a million letters no more is looked at than a screen has room for.
    return printable(path_text(name[:_WIDEST]))


def row_text(
    indent: str, name: bytes, row: Row, width: int, *, image: bool, left_out: bool = False
) -> Text:
    """Return a row: its mark, what it is called, and two columns.

    Args:
        indent: what stands before the name.
        name: the name, or a path, whose end is shown if there is no room for all.
        row: what it is.
        width: columns in all.
        image: tell the size and the layer; else what the layer adds and what it makes dead.
        left_out: it is marked to be left out, or in something that is.
    """
    label = shown(name[-_WIDEST:] if b"/" in name else name)
    if row.directory:
        label += "/"
    elif row.link:
        label += f" → {shown(row.link)}"
    start = f"{MARKS[row.change]}{_LEFT_OUT if left_out else ' '}{indent}"
    room = max(1, width - len(start) - 2 * (COLUMN + 1))
    if b"/" in name and cell_len(label) > room:
        label = "…" + chop_cells(label[::-1], max(1, room - 1))[0][::-1]
    text = Text(start + label, no_wrap=True)
    text.stylize(_LOOKS[row.change], 0, 1)
    if left_out:
        text.stylize("strike", len(start))
    text.truncate(len(start) + room, overflow="ellipsis", pad=True)
    if image:
        columns = human_size(row.size), f"{row.layer or ''}"
    elif row.change == UNCHANGED:
        columns = f"({human_size(row.size)})", ""
    else:
        columns = _amount("+", row.new), _amount("-", row.gone)
    text.append("".join(f" {column:>{COLUMN}}" for column in columns))
    return text


def _amount(sign: str, size: int) -> str:
    return sign + human_size(size) if size else ""
