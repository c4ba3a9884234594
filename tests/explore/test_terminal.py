"""In a real terminal: what is where, in small and large ones, few colours, none; how it ends."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from lamella import api
from tests.engines.namespace import wait_until
from tests.explore.terminal import Terminal, open_terminal
from tests.support.demo import put_demo

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("tmux")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the demo's image."""
    put_demo(tmp_path / "demo.tar")
    return tmp_path


def _child(terminal: Terminal) -> int:
    """Return lamella's process."""
    shell = terminal.tmux("display", "-p", "#{pane_pid}").strip()
    children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    return int(children[0])


DOCS = Path(__file__).resolve().parents[2] / "docs" / "explore.md"
SMALL, DETAILS = re.findall("```text\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
"""Screens as the page shows them."""


def test_a_small_terminal(folder: Path) -> None:
    """80 columns are enough for all there is; q leaves, and the screen is as before."""
    with open_terminal(folder, "explore", "demo.tar") as terminal:
        terminal.sees("Files of the image", "▸ usr/")
        terminal.press("G", "Tab")
        terminal.sees("Files of layer 10")
        terminal.press("j", "l", "j", "l")
        terminal.sees("▾ src/", "▸ m00/", " /app/src\n", absent="▸ app/")
        assert terminal.lines() == SMALL.splitlines()
        terminal.press("k", "k", "l", "j")
        terminal.sees(" /bin/toolbox\n")
        terminal.press("d")
        terminal.sees("Esc: close ━┛")
        assert terminal.lines() == DETAILS.splitlines()
        terminal.press("q")
        terminal.sees("▸ m00/", absent="Esc: close")
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.lines()[0] == "exit code 0"


_SLOW_END = """
import asyncio.selector_events, time
close = asyncio.selector_events.BaseSelectorEventLoop._close_self_pipe
def slowly(self):
    close(self)
    time.sleep(0.6)
asyncio.selector_events.BaseSelectorEventLoop._close_self_pipe = slowly
"""
"""For longer than from one beat of `cli.signals` to the next."""


def test_signals_that_come_at_its_very_end_are_no_noise(folder: Path) -> None:
    """The loop closes the pipe that it is woken by before it lets go of signals."""
    (folder / "sitecustomize.py").write_text(_SLOW_END)
    env = {"PYTHONPATH": str(folder)}
    with open_terminal(folder, "explore", "demo.tar", env=env) as terminal:
        terminal.sees("Files of the image")
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.lines()[0] == "exit code 0"


def test_a_large_terminal(folder: Path) -> None:
    """The room is used: whole steps, whole names; a range is marked and told."""
    with open_terminal(folder, "explore", "demo.tar", size=(200, 50)) as terminal:
        screen = terminal.sees("Files of the image", "▸ usr/", "RUN rm -rf /var/cache/apt && mkdir")
        assert len(screen.splitlines()) == 50
        terminal.press("j", "j", "Space", "G")
        saving = api.analyze(str(folder / "demo.tar")).savings[2, 10]
        screen = terminal.sees("layers 2-10 → 1: 24.4 MB → 11.5 MB, saves 12.8 MB")
        assert round(saving.saved / 1e6, 1) == 12.8
        # The marks are drawn apart from the sum.
        marks = [" ", *"┃" * 9]
        assert wait_until(
            lambda: [line[1:2] for line in terminal.lines()[3:13]] == marks, timeout=20
        ), screen
        terminal.press("q")
        assert terminal.ended() == 0


def test_a_squash_from_end_to_end(folder: Path) -> None:
    """Marked, named, made, proved; the summary stays on the terminal when the screen is gone."""
    with open_terminal(folder, "explore", "demo.tar", size=(120, 40)) as terminal:
        terminal.sees("Files of the image", "▸ usr/")
        terminal.press("j", "j", "Space", "G", "Space", "s")
        terminal.sees("demo-slim.tar")
        terminal.press("Tab", "Enter")
        terminal.sees("Close", "saved     12.8 MB", "verified")
        terminal.press("q")
        terminal.sees("Files of layer 10", absent="Close")
        terminal.press("q")
        assert terminal.ended() == 0
        screen = terminal.screen()
        assert "squashed  9 → 1" in screen
        assert "verified" in screen
    assert api.verify(str(folder / "demo.tar"), str(folder / "demo-slim.tar")) == []


def test_a_path_is_left_out(folder: Path) -> None:
    """Marked in the smallest terminal, whose window has room for the command; squashed, proved."""
    with open_terminal(folder, "explore", "demo.tar") as terminal:
        terminal.sees("Files of the image", "▸ usr/")
        terminal.press("Tab", "j", "e")
        terminal.sees(" ✗▸ srv/", "E 1 path left out, 4.00 MB")
        terminal.press("s")
        terminal.sees("leaves out 1 path: 4.00 MB less", "--exclude srv", "Copy command")
        terminal.press("Tab", "Enter")
        terminal.sees("Close", "verified")
        terminal.press("q", "q")
        assert terminal.ended() == 0
    gone = api.verify(str(folder / "demo.tar"), str(folder / "demo-slim.tar"))
    assert {one.path for one in gone} == {b"srv", b"srv/model.bin"}


def test_search_and_mouse(folder: Path) -> None:
    """A click of a real mouse, as terminals report it, opens a directory."""
    with open_terminal(folder, "explore", "demo.tar") as terminal:
        terminal.sees("Files of the image", "▸ usr/")
        terminal.press("/")
        terminal.type("module11")
        terminal.sees("Found: 1", "module11.so")
        terminal.press("Escape")
        terminal.sees("▸ usr/", absent="Found")
        for _ in range(2):
            for end in "Mm":  # button 1 down and up; column 40, line 4
                terminal.type(f"\x1b[<0;40;4{end}")
        terminal.sees("▾ srv/", "model.bin")


@pytest.mark.parametrize("term", ["screen", "screen-256color"])
def test_only_the_terminals_own_colours(folder: Path, term: str) -> None:
    """The sixteen that its owner has chosen, wherever there are more."""
    with open_terminal(folder, "explore", "demo.tar", term=term, env={"NO_COLOR": ""}) as terminal:
        terminal.sees("Files of the image", "▸ usr/")
        terminal.press("G")
        terminal.sees("Files of layer 10", "~ ▸ app/")
        painted = terminal.screen(colours=True)
    # What is changed is black on yellow: that can be read on light and on dark ground.
    assert re.search(r"\x1b\[30m\x1b\[103m~\x1b\[39m\x1b\[49m ▸ app/", painted)
    assert not re.search(r"\x1b\[[0-9;]*[34]8[;:][25]", painted)


def test_no_colours(folder: Path) -> None:
    """https://no-color.org; marks tell the same, and the cursor is still seen."""
    with open_terminal(folder, "explore", "demo.tar", env={"NO_COLOR": "1"}) as terminal:
        terminal.sees("Files of the image", "▸ usr/")
        terminal.press("j", "j", "j", "j")
        terminal.sees("Files of layer 4", "~ ▸ app/")
        painted = terminal.screen(colours=True)
    codes = {
        code for found in re.findall(r"\x1b\[([0-9;]*)m", painted) for code in found.split(";")
    }
    assert (
        codes & {str(code) for code in (*range(30, 39), *range(40, 49), *range(90, 108))} == set()
    )
    assert "7" in codes  # reversed


@pytest.mark.parametrize("keys", ["C-c", "q"])
def test_it_can_be_left_at_any_time(folder: Path, keys: str) -> None:
    """By Ctrl-C also from a window that is open."""
    with open_terminal(folder, "explore", "demo.tar") as terminal:
        terminal.sees("Files of the image", "▸ usr/")
        if keys == "C-c":
            terminal.press("b", "s")
            terminal.sees("demo-slim.tar")
        terminal.press(keys)
        assert terminal.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals(folder: Path, number: signal.Signals) -> None:
    """The terminal is restored, one line is said, exit 130."""
    with open_terminal(folder, "explore", "demo.tar") as terminal:
        terminal.sees("Files of the image", "▸ usr/")
        os.kill(_child(terminal), number)
        assert terminal.ended() == 130
        assert terminal.lines()[:2] == [
            "lamella: interrupted; nothing was left behind",
            "exit code 130",
        ]
        terminal.type("echoed")
        terminal.sees("echoed")


def test_errors_come_before_the_screen(folder: Path) -> None:
    """One line, as of every command."""
    (folder / "broken.tar").write_bytes((folder / "demo.tar").read_bytes()[:100_000])
    with open_terminal(folder, "explore", "broken.tar") as terminal:
        assert terminal.ended() == 1
        assert terminal.lines()[0].startswith("lamella: ")


BROKEN = """
import sys
from lamella.{module} import {name}
from lamella.cli.main import main

def broken(*args):
    raise RuntimeError("broken on purpose")

{name}.{method} = broken
sys.exit(main(["explore", "demo.tar"]))
"""


@pytest.mark.parametrize(
    ("module", "name", "method"),
    [
        ("analysis.browse", "Contents", "image"),  # in another thread
        ("cli.explore.files", "FileTree", "draw"),
        ("cli.explore.screen", "ImageScreen", "compose"),
    ],
)
def test_what_nobody_foresaw(folder: Path, module: str, name: str, method: str) -> None:
    """A fault of ours leaves the terminal as it was, and says one line."""
    script = BROKEN.format(module=module, name=name, method=method)
    (folder / "broken.py").write_text(script)
    with open_terminal(
        folder, "broken.py", size=(200, 24), command=Path(sys.executable)
    ) as terminal:
        assert terminal.ended() == 1
        [line, _] = [line for line in terminal.lines() if line]
    assert re.fullmatch("lamella: unexpected .*broken on purpose.*; please report it .*", line)


@pytest.mark.parametrize("redirect", ["</dev/null", ">out", "2>err"])
def test_without_a_terminal(folder: Path, redirect: str) -> None:
    """Whichever stream it is; one line tells the way out."""
    with open_terminal(folder, "explore", "demo.tar", redirect=redirect) as terminal:
        assert terminal.ended() == 2
        said = terminal.screen() + "".join(p.read_text() for p in folder.glob("err"))
    line = "lamella: explore needs a terminal; `lamella analyze` and `lamella layers` print"
    assert line in said.replace("\n", "")


def test_a_terminal_that_can_do_nothing(folder: Path) -> None:
    """TERM says so."""
    with open_terminal(folder, "explore", "demo.tar", term="dumb") as terminal:
        terminal.sees("exit code 2", "TERM=dumb")
