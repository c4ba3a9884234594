"""A real terminal to run lamella in: a tmux of its own, without the user's settings."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cli.running import COMMAND, environment
from tests.engines.process import CommandError
from tests.engines.tools import Tool
from tests.support.machine import patience

__all__ = ["Terminal", "open_terminal"]

_DEADLINE = patience(30)
_STEP = 0.1


class Terminal:
    """One window."""

    def __init__(self, tmux: Tool) -> None:
        self.tmux = tmux

    def screen(self, *, colours: bool = False) -> str:
        """Return what is on the screen; with the escape sequences that make it so."""
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def lines(self) -> list[str]:
        """Return the lines of the screen, without blanks at their ends."""
        return [line.rstrip() for line in self.screen().splitlines()]

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type letters."""
        self.tmux("send-keys", "-l", text)

    def sees(self, *words: str, absent: str = "") -> str:
        """Wait until words are on the screen, and another isn't; return the screen."""
        end = time.monotonic() + _DEADLINE
        while True:
            screen = self.screen()
            if all(word in screen for word in words) and not (absent and absent in screen):
                return screen
            assert time.monotonic() < end, f"waited for {words}:\n{screen}"
            time.sleep(_STEP)

    def ended(self) -> int:
        """Wait until the command is over; return its exit code."""
        screen = self.sees("exit code")
        found = re.search(r"^exit code (\d+)$", screen, re.MULTILINE)
        assert found, screen
        return int(found[1])


@contextmanager
def open_terminal(
    folder: Path,
    *arguments: str,
    size: tuple[int, int] = (80, 24),
    term: str = "screen-256color",
    env: Mapping[str, str] | None = None,
    redirect: str = "",
    command: Path = COMMAND,
) -> Iterator[Terminal]:
    """Run lamella in a new window.

    Args:
        folder: where it runs; has the terminal's socket, too.
        arguments: of lamella.
        size: columns and lines.
        term: what the terminal says it is.
        env: more for its environment.
        redirect: what a shell is told of its streams.
        command: what is run instead of lamella.
    """
    settings = {**environment(folder, env), "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh"}
    socket = folder / "tmux"
    config = folder / "tmux.conf"
    config.write_text(f"set -g default-terminal {term}\nset -g status off\nset -g escape-time 0\n")
    tmux = Tool.find("tmux", "-S", os.fspath(socket), "-f", os.fspath(config), environment=settings)
    typed = shlex.join([os.fspath(command), *arguments])
    columns, lines = map(str, size)
    shell = f"{typed} {redirect}; printf 'exit code %s\\n' $?; exec cat"
    tmux("new-session", "-d", "-x", columns, "-y", lines, "-c", folder, shell)
    try:
        yield Terminal(tmux)
    finally:
        with suppress(CommandError):  # it has ended by itself
            tmux("kill-server")
