"""Images that call their files and steps what no terminal should be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamella import limits
from tests.explore.piloting import Screen, explore
from tests.support.images import docker_archive, made_by
from tests.support.tars import layer, symlink

NAMES = {
    b"\x1b[31mred\x1b]0;title\x07": r"\x1b[31mred\x1b]0;title\x07",
    b"[red]markup[bold]": "[red]markup[bold]",
    b"[@click=app.quit]": "[@click=app.quit]",
    b"caf\xe9": r"caf\xe9",
    b"new\nline\ttab": r"new\nline\ttab",
    "right\u202etfel".encode(): r"right\u202etfel",
    "宽宽".encode(): "宽宽",
}


@pytest.fixture
def hostile(tmp_path: Path) -> str:
    """An image of such files; steps, link targets and the tag are no better."""
    files = layer(*((name, b"x") for name in NAMES), symlink("link", b"\x1b[2Jto"))
    steps = made_by("FROM \x1b[31m[bold]scratch", "RUN \u202e[/]\n\x07")
    path = tmp_path / "[red]a.tar"
    path.write_bytes(docker_archive(files, layer(b"\x1b[31mred\x1b]0;title\x07"), history=steps))
    return f"docker-archive:{path}"


def test_names_are_shown_as_they_are(hostile: str) -> None:
    """Escaped where they would do something."""

    async def script(screen: Screen) -> None:
        for name in NAMES.values():
            assert name in screen.text
        assert r"link → \x1b[2Jto" in screen.text
        assert r"\x1b[31m[bold]scratch" in screen.text
        everything = "".join(screen.lines)
        assert everything.isprintable()
        await screen.press("w")
        await screen.sees("Worst dead paths", r"/\x1b[31mred")
        await screen.press("escape", "slash")
        await screen.type("[red]")
        await screen.sees("Found: 1", "[red]markup")
        await screen.press("enter", "enter", "b", "s")
        await screen.sees("[red]a-slim.tar")

    explore(hostile, script, (160, 40))


def test_the_longest_name(tmp_path: Path) -> None:
    """It is cut."""
    path = tmp_path / "a.tar"
    path.write_bytes(docker_archive(layer("d/" + "n" * limits.NAME)))

    async def script(screen: Screen) -> None:
        await screen.press("tab", "enter")
        await screen.sees("nnnnn…")
        await screen.press("slash")
        await screen.type("n")
        await screen.sees("…nnnnn")

    explore(str(path), script)
