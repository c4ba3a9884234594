"""The table of docs/transports.md: what became of an image, by source and destination."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.transport_pairs.destinations import DESTINATIONS
from tests.transport_pairs.sources import SOURCES

__all__ = ["NOT_RUN", "PAGE", "Cells", "read_table", "with_table"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "transports.md"
NOT_RUN = "not run"

Cells = Mapping[tuple[str, str], str]
"""What the table says, by the labels of source and destination."""

_TABLE = re.compile(r"(?<=\n)\| from \\ to .*?\n(?=\n)", re.DOTALL)


def read_table(page: str) -> dict[tuple[str, str], str]:
    """Find the table on the page, and read it."""
    found = _TABLE.search(page)
    assert found is not None, f"no table in {PAGE.name}"
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()
    )
    return {
        (row[0], column): cell
        for row in rows
        for column, cell in zip(head[1:], row[1:], strict=True)
    }


def with_table(page: str, cells: Cells) -> str:
    """Return the page with another table; a pair of which nothing is known was not run."""
    columns = list(dict.fromkeys(DESTINATIONS.values()))
    rows = [
        ["from \\ to", *columns],
        ["---"] * (len(columns) + 1),
        *([row, *(cells.get((row, c), NOT_RUN) for c in columns)] for row in SOURCES.values()),
    ]
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return _TABLE.sub(lambda _: text, page)
