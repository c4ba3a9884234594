"""Paths are marked in the tree, and a squash leaves them out."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Static

import lamella
from lamella import api
from lamella.cli.main import main
from tests.explore.piloting import Screen, explore
from tests.support.images import docker_archive
from tests.support.tars import layer, whiteout

BIG = b"x" * 4000


def files(image: str) -> set[str]:
    """Return the paths that an image shows."""
    with lamella.open_image(image) as seen:
        return {file.path for file in seen.files()}


def command(screen: Screen) -> str:
    """Return the command that the window shows, which may take several lines there."""
    return str(screen.app.screen.query_one("#command", Static).content)


def test_marks_are_seen_and_stay(demo: str) -> None:
    """On the path and all in it, in every layer; told with their bytes."""

    async def script(screen: Screen) -> None:
        await screen.press("j", "j", "j", "j", "tab")
        await screen.sees("Files of layer 4", "~ ▸ app/")
        await screen.press("l", "j", "e")
        await screen.sees("~ ▾ app/", "~✗  ▸ src/")
        await screen.sees("E 1 path left out, 1.37 MB")
        await screen.press("l")
        await screen.sees("✗    ▸ m01/")
        await screen.press("j", "e")
        await screen.sees("/app/src is left out")
        await screen.press("shift+tab", "g", "tab")
        await screen.sees("Files of the image", " ✗  ▾ src/")
        await screen.press("slash")
        await screen.type("m01/")
        await screen.sees("Found", " ✗app/src/m01")
        await screen.press("escape", "h", "h", "e")
        await screen.sees("p Secrets  i Image")
        await screen.misses("✗")

    explore(demo, script)


def test_a_directory_takes_the_place_of_what_is_in_it(demo: str) -> None:
    """Its bytes are counted once; and the list of all unmarks and leads there."""

    async def script(screen: Screen) -> None:
        await screen.press("tab", "l", "j", "e")
        await screen.sees("E 1 path left out")
        await screen.press("k", "e", "j", "j", "j", "e")
        await screen.sees("E 2 paths left out")
        await screen.press("E")
        await screen.sees("Left out", "2 paths left out, ", "e: unmark")
        total = screen.line("2 paths left out")
        sizes = {kid.name: kid.live for kid in api.analyze(demo).root.kids}
        assert f"{(sizes[b'usr'] + sizes[b'srv']) / 1e6:.2f} MB" in total
        await screen.press("e", "e")
        await screen.sees("Nothing is marked")
        await screen.press("q")
        await screen.misses("Left out", "✗")

    explore(demo, script)


def test_what_the_image_does_not_show_is_not_marked(demo: str) -> None:
    """A squash removes it anyway."""

    async def script(screen: Screen) -> None:
        await screen.press("j", "j", "tab")
        await screen.sees("Files of layer 2", "▸ var/")
        await screen.press("slash")
        await screen.type("archives")
        await screen.sees("Found: 1")
        await screen.press("enter", "e")
        await screen.sees("the image does not show")
        await screen.misses("✗")

    explore(demo, script)


def test_a_squash_leaves_out_what_is_marked(demo: str, pasted: Callable[[str], Path]) -> None:
    """In the window, and by the command that it shows: the same image."""
    commands = []

    async def script(screen: Screen) -> None:
        await screen.press("tab", "slash")
        await screen.type("model.bin")
        await screen.press("enter", "enter", "e", "slash")
        await screen.sees("E 1 path left out, 4.00 MB")
        await screen.type("python3/")
        await screen.press("enter", "enter", "e", "b", "s")
        await screen.sees("layers 2-10 → 1", "leaves out 2 paths: ", "--exclude srv/model.bin")
        commands.append(command(screen))
        await screen.press("tab", "enter")
        await screen.sees("Close", "verified")
        await screen.press("enter")

    [result] = explore(demo, script, (120, 40)).results
    gone = files(demo) - files("demo-slim.tar")
    assert set(result.excluded) <= gone
    assert gone == {path for path in files(demo) if path.startswith(result.excluded)}
    assert pasted(commands[0]).read_bytes() == Path("demo-slim.tar").read_bytes()


@pytest.fixture
def pasted(tmp_path: Path) -> Callable[[str], Path]:
    """Run a command that makes demo-slim.tar, with another file for its result."""

    def run(text: str) -> Path:
        other = tmp_path / "pasted.tar"
        words = shlex.split(text.replace("demo-slim.tar", str(other)))
        assert main([*words[1:], "-q"]) == 0
        return other

    return run


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three layers, of which a squash of the second and the third saves nothing to speak of."""
    monkeypatch.chdir(tmp_path)
    tars = layer("d/", ("d/a b", BIG), ("d/*", BIG), ("d/star", BIG)), layer("c"), layer("e")
    (tmp_path / "app.tar").write_bytes(docker_archive(*tars))
    return "app.tar"


def test_a_single_layer_and_what_lies_below(small: str) -> None:
    """One layer is written again; bytes of a kept layer are told, with the way to remove them."""

    async def script(screen: Screen) -> None:
        await screen.press("tab", "l", "j", "e", "j", "e", "shift+tab")
        await screen.sees("E 2 paths left out")
        await screen.press("j", "j", "space", "space", "s")
        await screen.sees("layer 2 is written again", "leaves out 2 paths: 0 B less")
        await screen.sees("layer 1 is kept, with 9.22 kB of these files: mark from layer 1")
        await screen.press("escape", "escape", "g", "j", "space", "space", "s")
        await screen.sees("leaves out 2 paths: 9.22 kB less", r"--exclude 'd/\*'")
        await screen.press("tab", "enter")
        await screen.sees("Close", "verified")
        await screen.press("enter")

    assert explore(small, script, (120, 40)).results[0].layers_after == 3
    assert files(small) - files("app-slim.tar") == {"d/a b", "d/*"}


def test_the_range_goes_up_to_what_would_bring_it_back(tmp_path: Path) -> None:
    """Whatever is marked; without a mark the best range is taken."""
    path = tmp_path / "app.tar"
    dead = layer("d/", ("d/dead", BIG * 9)), layer(whiteout("d/dead"), ("d/a", BIG))
    path.write_bytes(docker_archive(layer("base"), *dead, layer("d/", ("d/b", BIG))))

    async def script(screen: Screen) -> None:
        await screen.press("j", "j", "space", "j", "space", "tab", "g", "e", "s")
        await screen.sees("layers 2-4 → 1", "--exclude d ")
        await screen.press("escape", "shift+tab", "escape", "s")
        await screen.sees("--exclude d ")

    explore(str(path), script, (120, 40))
