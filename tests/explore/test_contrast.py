"""Every window can be read on light and dark terminals, in their own sixteen colours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.segment import Segment
from rich.style import Style

from tests.explore.contrast import unreadable
from tests.explore.piloting import Screen, explore

pytestmark = pytest.mark.slow

WINDOWS = {
    "layers": ["j", "j", "j", "j"],
    "files": ["end", "tab", "j", "l"],
    "range": ["j", "space", "j", "j"],
    "help": ["question_mark"],
    "filter": ["f"],
    "smallest size": ["f", "tab", "tab", "tab", "tab", "1"],
    "apply": ["f", "shift+tab", "shift+tab"],
    "worst": ["w"],
    "secrets": ["p"],
    "config": ["i"],
    "layer": ["j", "d"],
    "details": ["end", "tab", "d"],
    "view": ["j", "tab", "j", "j", "l", "j", "j", "v"],
    "save": ["tab", "x"],
    "copied": ["tab", "y"],
    "search": ["slash"],
    "found": ["slash", "o"],
    "left out": ["tab", "e", "l"],
    "list of left out": ["tab", "e", "E"],
    "squash": ["b", "s"],
    "squash without a path": ["tab", "e", "b", "s"],
    "squash button": ["b", "s", "tab", "tab"],
    "nothing marked": ["s"],
}


def segments(screen: Screen) -> Iterator[Segment]:
    """Yield what is on the screen."""
    for strip in screen.app.screen._compositor.render_strips(screen.app.size):  # noqa: SLF001
        yield from strip


@pytest.mark.parametrize("window", WINDOWS)
def test_letters_can_be_read(demo: str, window: str) -> None:
    """At least 4.5:1: https://www.w3.org/TR/WCAG22/#contrast-minimum."""

    async def script(screen: Screen) -> None:
        for key in WINDOWS[window]:
            await screen.press(key)
            await screen.pilot.pause(0.1)
        assert unreadable(segments(screen)) == []

    explore(demo, script)


@pytest.mark.parametrize("look", ["yellow", "green", "dim", "black on red", "blue", "on white"])
def test_what_cannot_be_read_is_found(look: str) -> None:
    """The check can fail."""
    assert len(unreadable(iter([Segment("text", Style.parse(look))]))) == 1
    assert unreadable(iter([Segment("text", Style.parse("black on bright_green reverse"))])) == []
