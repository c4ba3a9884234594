"""What changed from one image to another, as a page: two trees side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lamella.operations.diff import ImageDiff
from lamella.report.diff import DiffLine, line_details, lines_of, sums_of, unified, verdict
from lamella.report.differences import without_secrets
from lamella.report.html import fill_page
from lamella.tar.entry import path_text

__all__ = ["page"]

_ROWS = 5000
"""Lines of one image that are shown."""


@dataclass(frozen=True)
class DiffRow:
    """One line of the table."""

    old: str
    """The name in the first image; empty: it has none."""
    new: str
    before: int
    after: int
    what: str


def page(found: ImageDiff, names: tuple[str, str]) -> str:
    """Return the page. The same difference gives the same page.

    Args:
        found: what changed.
        names: what the images are called.
    """
    images = found.platforms or (found,)
    return fill_page(
        "diff.html",
        names=names,
        sums=sums_of(found),
        fields=sum(len(one.config) for one in images),
        verdict=verdict(found),
        images=[_image(one) for one in images],
    )


def _image(found: ImageDiff) -> dict[str, Any]:
    lines = list(lines_of(found.changes))
    fields = [without_secrets(one) for one in found.config]
    return {
        "platform": found.platform,
        "folders": list(_by_folder(islice(lines, _ROWS)).items()),
        "left_out": max(0, len(lines) - _ROWS),
        "fields": [(one.what, *one.values) for one in fields],
        "contents": [(one.path, *unified(one)) for one in found.contents],
    }


def _by_folder(lines: Iterable[DiffLine]) -> dict[bytes, list[DiffRow]]:
    folders: dict[bytes, list[DiffRow]] = {}
    for line in lines:
        folder = line.change.path.rpartition(b"/")[0]
        folders.setdefault(folder, []).append(_row(line))
    return dict(sorted(folders.items(), key=lambda item: item[0].split(b"/")))


def _row(line: DiffLine) -> DiffRow:
    change = line.change
    end = "/" if change.type == "directory" else ""
    name = path_text(change.path.rpartition(b"/")[2]) + end
    words: list[str] = [] if change.kind == "changed" else [change.kind]
    if details := line_details(line):
        words.append(details)
    return DiffRow(
        "" if change.kind == "added" else name,
        "" if change.kind == "removed" else name,
        line.before,
        line.after,
        ", ".join(words),
    )
