"""The screen without a terminal: keys go in, and what is seen comes out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from textual.pilot import Pilot

from lamella.cli.commands.explore import make_app
from lamella.cli.explore.app import ExploreApp
from lamella.transport.environment import Environment
from tests.support.machine import patience

__all__ = ["Screen", "explore", "show"]

_DEADLINE = patience(20)
_STEP = 0.03


class Screen:
    """What a test does: press keys, and wait for what is to be seen."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot
        self.app = pilot.app

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without colours."""
        strips = self.app.screen._compositor.render_strips(self.app.size)  # noqa: SLF001
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def text(self) -> str:
        """The same in one."""
        return "\n".join(self.lines)

    def line(self, word: str) -> str:
        """Return the first line that has a word."""
        return next(line for line in self.lines if word in line)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type text into what has the focus."""
        await self.pilot.press(*(_KEYS.get(letter, letter) for letter in text))

    async def sees(self, *words: str) -> None:
        """Wait until all of some words are on the screen."""
        await self.until(lambda: self.has(words) == len(words), words)

    async def misses(self, *words: str) -> None:
        """Wait until none of some words is on the screen."""
        await self.until(lambda: not self.has(words), words)

    def has(self, words: Sequence[str]) -> int:
        """Count the words that are on the screen, which is drawn once for all of them."""
        text = self.text
        return sum(word in text for word in words)

    async def until(self, true: Callable[[], bool], about: object = "") -> None:
        """Wait until something is so."""
        end = time.monotonic() + _DEADLINE
        while not true():
            assert time.monotonic() < end, f"waited for {about}:\n{self.text}"
            await self.pilot.pause(_STEP)


_KEYS = {
    "/": "slash",
    ".": "full_stop",
    "-": "minus",
    ":": "colon",
    " ": "space",
    "_": "underscore",
}


def explore(
    image: str,
    script: Callable[[Screen], Awaitable[None]],
    size: tuple[int, int] = (100, 30),
    env: Environment | None = None,
) -> ExploreApp:
    """Explore an image as a script says; return the app that has ended."""
    with make_app(image, None, env or Environment()) as app:
        show(app, script, size)
    return app


def show(
    app: ExploreApp, script: Callable[[Screen], Awaitable[None]], size: tuple[int, int] = (100, 30)
) -> None:
    """Run an app as a script says."""

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            screen = Screen(pilot)
            await screen.sees("Files of the image")
            await script(screen)

    asyncio.run(run())
