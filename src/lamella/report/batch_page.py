"""What came of many images, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamella.report.batch import Totals
from lamella.report.html import fill_page
from lamella.report.text import count_of

if TYPE_CHECKING:
    from lamella.fleet.task import Outcome

__all__ = ["page"]

_ROWS = 5000


def page(outcomes: Sequence[Outcome], totals: Totals, seconds: float) -> str:
    """Return outcomes as a page: failures first, then all images, those that save most first.

    Args:
        outcomes: of each image.
        totals: of all of them.
        seconds: how long it took.
    """
    images = sorted(outcomes, key=lambda one: (one.bytes_after - one.bytes_before, one.source))
    return fill_page(
        "batch.html",
        title=count_of(totals.images, "image"),
        totals=totals,
        states=sorted(totals.states.items()),
        seconds=seconds,
        failed=sorted(totals.failed, key=lambda one: one.source)[:_ROWS],
        images=images[:_ROWS],
        left_out=max(0, len(images) - _ROWS),
    )
