"""The pictures of docs/report.md and the README: ``python -m tests.browser.pictures``."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from lamella import api
from lamella.demo import write_demo_image
from lamella.report import compare
from lamella.report.html import render
from tests.browser.chromium import DESKTOP, Browser, chromium

__all__ = ["take_pictures"]

_SQUASH = "lamella squash demo.tar --layers 2-10 -t lamella-demo:slim -o demo-slim.tar"
_IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
# Of each: the file's name, from which element to which, whether in dark colours.
_PARTS = (
    ("report", "html", "#advice", False),
    ("report-layers", "#stack", "#stack", False),
    ("report-map", "#places", "#map", True),
)


def take_pictures(folder: Path) -> None:
    """Show the page of the demo's image: the head in light colours, the map in dark ones."""
    with tempfile.TemporaryDirectory(prefix="lamella-pictures-") as temporary, chromium() as seen:
        image, page = Path(temporary) / "demo.tar", Path(temporary) / "demo.html"
        write_demo_image(image)
        found = replace(api.analyze(str(image)), reference=image.name)
        page.write_text(render(found, squash=_SQUASH), encoding="utf-8")
        for name, first, last, dark in _PARTS:
            seen.open(page, DESKTOP, dark=dark)
            seen.all(".pick button")[-1].click()
            seen.run("document.activeElement.blur(); scrollTo(0, 0)")
            top, end = seen.one(first).rect["y"], seen.one(last).rect
            clip = (0, round(top), DESKTOP[0], round(end["y"] + end["height"] - top) + 24)
            (folder / f"{name}.png").write_bytes(seen.picture(clip))
        _compare(image, folder, seen)


def _compare(image: Path, folder: Path, seen: Browser) -> None:
    """Show the demo's image beside what a squash makes of it."""
    slim, page = image.with_name("slim.tar"), image.with_name("compare.html")
    api.squash(image, None, "demo:slim", layers="2-10", output=f"docker-archive:{slim}")
    page.write_text(compare.page(api.compare(image, slim)), encoding="utf-8")
    seen.open(page, DESKTOP)
    end = seen.one("#stack").rect
    (folder / "report-compare.png").write_bytes(
        seen.picture((0, 0, DESKTOP[0], round(end["y"] + end["height"]) + 24))
    )


if __name__ == "__main__":
    take_pictures(_IMAGES)
