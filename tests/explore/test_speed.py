"""300,000 entries stay fluid: how long the screen can't be used, at the most, in processor time.

Work of other threads counts, since they take turns with the one that draws.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from lamella.analysis.browse import Contents
from lamella.analysis.lifetimes import lay
from lamella.analysis.model import Analysis, LayerFacts, Saving, Usage
from lamella.cli.explore.app import ExploreApp
from lamella.cli.explore.files import FileTree
from lamella.cli.explore.squashing import Squasher
from lamella.layer.blob import Bytes
from lamella.merge.causes import Dropped
from lamella.merge.changeset import Changeset
from lamella.operations.analyze import Explored
from lamella.tar.entry import DIRECTORY, REGULAR, Member
from lamella.transport.environment import Environment
from lamella.transport.location import Suggestion
from tests.explore.piloting import Screen, show
from tests.support.tars import folder

pytestmark = pytest.mark.slow

_LAYERS = 6
_WIDE = 50_000
_ENTRIES = 300_000
_LONGEST = 40_000_000
"""Steps of an empty loop: half a second, and twice that where others use the processor, too."""


def _layer(origin: int) -> Iterator[Member]:
    """The first has one directory with very many files, the others many directories."""
    count = _WIDE // (1 if not origin else 20)
    for number in range(1 if not origin else count):
        name = b"d%05d" % number
        top = b"usr/lib/p%d" % origin
        yield Member(top, name, DIRECTORY, b"", 0, 512, 0, 0, origin)
        folder = top + b"/" + name
        for i in range(_WIDE if not origin else 19):
            name = b"module_%05d.py" % i
            yield Member(folder, name, REGULAR, b"", 0, 512, i * 7919 % 100_003, 0, origin)


@pytest.fixture(scope="module")
def explored() -> Explored:
    """An image so large; of what an analysis tells only what the screen asks for."""
    changesets = [
        Changeset(Bytes(b""), origin, list(_layer(origin)), [], []) for origin in range(_LAYERS)
    ]
    assert sum(len(changeset.entries) for changeset in changesets) >= _ENTRIES
    facts = tuple(
        LayerFacts(n, "0" * 64, "", "RUN x", (), 1, 0, 512, 512, 512, Dropped())
        for n in range(1, _LAYERS + 1)
    )
    ranges = [(a, b) for a in range(1, _LAYERS + 1) for b in range(a, _LAYERS + 1)]
    analysis = Analysis(
        reference="large",
        id="",
        platform="linux/amd64",
        tags=(),
        layers=facts,
        savings={(a, b): Saving(a, b, 512, 512) for a, b in ranges},
        dead=(),
        secrets=None,
        root=Usage(b"", 0, 0, 0, ()),
        efficiency=1.0,
        wasted=0,
    )
    tars = [Bytes(folder("any").encode())] * _LAYERS  # whose one header does for all entries
    return Explored(analysis, Contents(lay(changesets)), None, tars)


def _explore(explored: Explored, script: Callable[[Screen], Awaitable[None]]) -> None:
    app = ExploreApp(explored, Squasher("", None, Environment()), Suggestion())
    show(app, script, (120, 40))


async def _blocked(do: Awaitable[None]) -> float:
    """Return how much processor time something took, in steps."""
    begun = time.process_time()
    await do
    return (time.process_time() - begun) / _step()


def _step() -> float:
    """Return how many seconds of a processor a step of an empty loop takes now."""
    begun = time.process_time()
    for _ in range(1_000_000):
        pass
    return (time.process_time() - begun) / 1_000_000


def test_a_directory_of_50000_opens_at_once(explored: Explored) -> None:
    """And one can go to its end and page through it."""

    async def script(screen: Screen) -> None:
        files = screen.app.screen.query_one(FileTree)
        files.reveal(b"usr/lib/p0/d00000")
        await screen.press("tab")
        opening = await _blocked(screen.press("enter"))
        await screen.sees("module_")
        end = await _blocked(screen.press("G"))
        pages = await _blocked(screen.press(*["pageup"] * 20))
        assert files.length() > _WIDE
        assert max(opening, end, pages / 20) < _LONGEST, (opening, end, pages / 20)

    _explore(explored, script)


@pytest.mark.parametrize("text", ["module_00017", "o"])
def test_a_search_through_300000(explored: Explored, text: str) -> None:
    """The screen is drawn all the while, also if nearly everything is found."""

    async def script(screen: Screen) -> None:
        await screen.press("slash")
        longest = await _blocked(screen.type(text)) / len(text)
        while "Found: " not in screen.text:
            longest = max(longest, await _blocked(screen.pilot.pause(0.01)))
        assert longest < _LONGEST

    _explore(explored, script)
