"""What the keys do, on the demo's image; without a terminal."""

from __future__ import annotations

import asyncio
import socket

import pytest
from textual.widget import Widget

from lamella import api
from lamella.cli.explore.around import Keys
from lamella.cli.explore.lines import Lines
from lamella.errors import LamellaError
from lamella.transport.environment import used
from tests.explore.piloting import Screen, explore


def test_layers_and_files(demo: str) -> None:
    """Layers with their size, dead part and step; files of the one that the cursor is on."""

    async def script(screen: Screen) -> None:
        assert "27.9 MB: 13.5 MB live, 14.3 MB dead" in screen.lines[0]
        assert "2  12.1 MB   60% RUN apt-get" in screen.text
        assert "▸ usr/" in screen.text
        await screen.press("j", "j", "j")
        await screen.sees("Files of layer 3: +1.44 MB", "+ ▸ app/", "COPY . /app", "entries: 422")
        await screen.press("down", "down", "down")
        await screen.sees("Files of layer 6", "~ ▸ root/", "+1.02 kB", "-3.07 kB")
        await screen.press("g")
        await screen.sees("Files of the image", "dive's efficiency: 0.805", "1 likely secret (p)")

    explore(demo, script)


def test_open_and_close(demo: str) -> None:
    """Directories open and close; what is open stays so in the next layer, with the cursor."""

    async def script(screen: Screen) -> None:
        await screen.press("end", "k", "tab")
        await screen.sees("Files of layer 9", "~ ▸ srv/")
        await screen.press("l", "l")
        assert "~     model.bin" in screen.line("model.bin")
        assert screen.line("model.bin").count("4.00 MB") == 2
        await screen.press("shift+tab", "k", "tab")
        await screen.sees("Files of layer 8", "+     model.bin")
        await screen.press("h")
        await screen.press("h")
        await screen.misses("+     model.bin")
        assert "+ ▸ srv/" in screen.text

    explore(demo, script)


def test_the_image_tells_the_layer(demo: str) -> None:
    """Of each file; a link tells where it leads."""

    async def script(screen: Screen) -> None:
        await screen.press("tab")
        await screen.press("j", "j", "enter", "j")
        await screen.sees("toolbox")
        assert screen.line("toolbox").rstrip("│┃ ").endswith(" 10")
        await screen.press("h", "h", "j", "j", "enter")
        await screen.sees("mtab → /proc/mounts")

    explore(demo, script)


def test_search(demo: str) -> None:
    """As one types; Enter goes to the list, and from there to the place in the tree."""

    async def script(screen: Screen) -> None:
        await screen.press("slash")
        await screen.type("module1")
        await screen.sees("Found: 3", "usr/lib/python3/module11.so")
        await screen.type("1")
        await screen.sees("Found: 1")
        await screen.press("enter", "enter")
        await screen.sees("▾ python3/", "module11.so", "Files of the image")
        await screen.misses("Search ─")
        assert screen.app.focused is not None
        assert screen.app.focused.id == "files"

    explore(demo, script)


def test_search_ends(demo: str) -> None:
    """Escape leads back to the tree; letters that are keys elsewhere are text in it."""

    async def script(screen: Screen) -> None:
        await screen.press("slash")
        await screen.type("sqwf nothing/")
        await screen.sees("Found: 0", "sqwf nothing/")
        await screen.press("escape")
        await screen.misses("Found", "Search ─")
        await screen.sees("▸ usr/")

    explore(demo, script)


@pytest.mark.slow
def test_filter(demo: str) -> None:
    """Kinds of change, and the smallest size; nonsense is answered."""

    async def script(screen: Screen) -> None:
        await screen.press("j", "j", "j", "j")
        await screen.sees("Files of layer 4", "~ ▸ app/")
        await screen.press("f")
        await screen.sees("▐X▌ + added", "▐ ▌   unchanged", "smallest size")
        await screen.press("space", "tab", "space", "tab", "space", "tab", "space", "tab")
        await screen.type("2 things")
        await screen.press("enter")
        await screen.sees("'2 things' is not a size; expected a value like 10MB")
        await screen.press(*["backspace"] * 8)
        await screen.type("2MB")
        await screen.press("enter")
        await screen.sees("at least 2.00 MB", "(8.78 MB)", "▸ usr/")
        await screen.misses("app/ ", "etc/", "smallest size")

    explore(demo, script)


def test_the_worst_dead_paths(demo: str) -> None:
    """Enter leads to the layer and the place."""

    async def script(screen: Screen) -> None:
        await screen.press("w")
        await screen.sees("Worst dead paths", "4.00 MB    8 → 9    overwritten   /srv/model.bin")
        await screen.press("j", "enter")
        await screen.sees("Files of layer 8", "▾ srv/", "+     model.bin")

    explore(demo, script)


def test_help(demo: str) -> None:
    """Every key of the footer is in it."""

    async def script(screen: Screen) -> None:
        footer = screen.lines[-1]
        for key in (
            "? Help",
            "/ Search",
            "f Filter",
            "space Mark",
            "s Squash",
            "w Worst",
            "q Quit",
        ):
            assert key in footer
        await screen.press("question_mark")
        await screen.sees("Tab          switch between layers and files", "squash the marked range")
        await screen.press("q")
        await screen.misses("switch between layers")

    explore(demo, script)


def test_mouse(demo: str) -> None:
    """A click goes to a line, a second one opens what is there."""

    async def script(screen: Screen) -> None:
        await screen.pilot.click("#layers", offset=(5, 4))
        await screen.sees("Files of layer 3")
        await screen.pilot.click("#files", offset=(5, 1))
        await screen.sees("▾ app/")
        await screen.pilot.click("#files", offset=(5, 2))
        await screen.pilot.click("#files", offset=(5, 9))
        await screen.sees("▸ src/")
        await screen.pilot.click("#files", offset=(5, 2), times=2)
        await screen.sees("▾ src/", "▸ m00/")

    explore(demo, script)


# -- ranges


@pytest.mark.slow
def test_savings_are_shown_live(demo: str) -> None:
    """Exactly what the analysis tells for the range, while it is being marked."""
    savings = api.analyze(demo).savings

    async def script(screen: Screen) -> None:
        await screen.sees("best: layers 2-10 → 1: 24.4 MB → 11.5 MB, saves 12.8 MB")
        await screen.press("j", "j", "space")
        await screen.sees("layer 2 alone: nothing to squash")
        for last in range(3, 8):
            await screen.press("j")
            saving = savings[2, last]
            await screen.sees(f"layers 2-{last} → 1: {saving.before / 1e6:.1f} MB → ")
        assert f"saves {savings[2, 7].saved / 1e6:.2f} MB" in screen.lines[-2]
        await screen.press("space", "j")
        await screen.sees("layers 2-7 → 1", "Files of layer 8")
        assert [line[1] for line in screen.lines[3:13]] == list(" ┃┃┃┃┃┃   ")
        await screen.press("escape")
        await screen.sees("best: layers")
        await screen.press("b")
        await screen.sees(" layers 2-10 → 1")
        await screen.press("escape", "g", "j", "j", "space", "g")
        await screen.sees("layers 1-2 → 1", "Files of the image")

    explore(demo, script)


def test_a_range_is_squashed(demo: str) -> None:
    """With a new name beside the old one; proved; told when all is over."""

    async def script(screen: Screen) -> None:
        await screen.press("j", "j", "space", "G", "space", "s")
        await screen.sees("layers 2-10 → 1: 24.4 MB → 11.5 MB", "demo-slim.tar")
        await screen.sees("lamella-demo:slim")
        await screen.press("tab", "enter")
        await screen.sees("Close", "saved     12.8 MB", "2 layers, 15.0 MB", "verified")
        await screen.press("enter")
        await screen.misses("Close")

    app = explore(demo, script, (120, 40))
    [result] = app.results
    assert (result.layers_before, result.layers_after, result.verified) == (10, 2, True)
    assert result.tags == ("lamella-demo:slim",)
    saving = api.analyze(demo).savings[2, 10]
    assert result.bytes_before - result.bytes_after == saving.saved
    assert api.verify(demo, "demo-slim.tar") == []


@pytest.mark.slow
def test_what_goes_wrong_is_said(demo: str) -> None:
    """In the window, which stays open for another try."""

    async def script(screen: Screen) -> None:
        await screen.press("s")
        await screen.sees("mark a range of layers first")
        await screen.press("b", "s")
        await screen.sees("demo-slim.tar")
        await screen.press("tab", *["backspace"] * 40)
        await screen.type("docker-archive:no/such/folder.tar")
        await screen.press("enter")
        await screen.sees("no/such")
        await screen.sees("Squash ", "Cancel")
        await screen.press("escape")
        await screen.misses("Cancel")

    assert explore(demo, script, (120, 40)).results == []


@pytest.mark.slow
def test_a_squash_is_stopped(demo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Escape ends it; nothing is written; and there may be another try."""
    begun = []

    def endless(*args: object, env: api.Environment, **kwargs: object) -> None:
        begun.append(args)
        with used(env) as world:
            world.progress.phase("write", 1000)
            while True:
                world.progress.advance(1)

    monkeypatch.setattr(api, "squash", endless)

    async def script(screen: Screen) -> None:
        await screen.press("b", "s", "tab", "enter")
        await screen.sees("write")
        await screen.press("escape")
        await screen.sees("stopped; nothing was left behind")
        await screen.press("tab", "tab", "enter")
        await screen.until(lambda: len(begun) == 2)
        await screen.press("ctrl+c")
        await screen.until(lambda: not screen.app.is_running)

    assert explore(demo, script).results == []


@pytest.mark.slow
def test_a_squash_into_silence_is_stopped(demo: str) -> None:
    """Also while it waits for a registry that takes what it is asked, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]

        async def script(screen: Screen) -> None:
            await screen.press("b", "s", "tab", *["backspace"] * 40)
            await screen.type(f"docker://127.0.0.1:{port}/a:b")
            await screen.press("enter")
            taken, _ = await asyncio.to_thread(deaf.accept)
            with taken:
                await asyncio.to_thread(taken.recv, 1)
                await screen.press("escape")
                await screen.sees("stopped; nothing was left behind")

        assert explore(demo, script, (120, 40)).results == []


def test_there_is_an_image() -> None:
    """Errors come before the screen."""
    with pytest.raises(LamellaError, match="no file"):
        explore("./nothing.tar", lambda screen: screen.press("q"))


def test_nothing_is_laid_out_anew_without_need(demo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the keys, as long as they are the same, nor text of a fixed height."""
    asked: list[object] = []

    def noted(widget: Widget, *args: object, layout: bool = False, **rest: object) -> Widget:
        if layout and not isinstance(widget, Lines):  # whose lines may become more
            asked.append(widget)
        return refresh(widget, *args, layout=layout, **rest)  # type: ignore[arg-type]

    async def recomposed(keys: Keys) -> None:
        asked.append(keys)
        await recompose(keys)

    refresh, recompose = Widget.refresh, Keys.recompose

    async def script(screen: Screen) -> None:
        await screen.press("j")
        await screen.sees("Files of layer 1")
        monkeypatch.setattr(Widget, "refresh", noted)
        monkeypatch.setattr(Keys, "recompose", recomposed)
        await screen.press("space", "j", "j", "space", "tab", "j", "j", "tab", "tab")
        await screen.sees("layers 1-3", "Files of layer 3")
        assert asked == []

    explore(demo, script)
