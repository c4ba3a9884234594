"""The pictures of docs/report.md and the README: ``python -m tests.browser.pictures``."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from lamella import api
from lamella.demo import write_demo_image
from lamella.report.html import render
from tests.browser.chromium import DESKTOP, chromium

__all__ = ["take_pictures"]

_IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
# Of each: the file's name, from which element to which, whether in dark colours.
_PARTS = (("report", "html", "#stack", False), ("report-map", "#places", "#map", True))


def take_pictures(folder: Path) -> None:
    """Show the page of the demo's image: the head in light colours, the map in dark ones."""
    with tempfile.TemporaryDirectory(prefix="lamella-pictures-") as temporary, chromium() as seen:
        image, page = Path(temporary) / "demo.tar", Path(temporary) / "demo.html"
        write_demo_image(image)
        found = replace(api.analyze(str(image)), reference=image.name)
        page.write_text(render(found), encoding="utf-8")
        for name, first, last, dark in _PARTS:
            seen.open(page, DESKTOP, dark=dark)
            seen.all(".pick button")[-1].click()
            seen.run("document.activeElement.blur(); scrollTo(0, 0)")
            top, end = seen.one(first).rect["y"], seen.one(last).rect
            clip = (0, round(top), DESKTOP[0], round(end["y"] + end["height"] - top) + 24)
            (folder / f"{name}.png").write_bytes(seen.picture(clip))


if __name__ == "__main__":
    take_pictures(_IMAGES)
