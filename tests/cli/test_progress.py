"""Progress: a bar on a terminal, and what settings make of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.running import start
from tests.support.machine import patience

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(*args: str, tmp: Path, env: dict[str, str]) -> str:
    """Return what a terminal is sent on stderr."""
    ours, theirs = os.openpty()
    with (tmp.parent / "id").open("wb") as stdout:
        process = start(*args, tmp=tmp, env={"TERM": "xterm", **env}, stdout=stdout, stderr=theirs)
        os.close(theirs)
        said = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not chunk:
                break
            said += chunk
    os.close(ours)
    assert process.wait(patience(60)) == 0, said
    return said.decode()


@pytest.mark.parametrize(
    ("env", "options", "bar", "colour"),
    [
        ({}, [], True, True),
        ({"NO_COLOR": "1"}, [], True, False),
        ({}, ["--progress", "plain"], False, False),
        ({}, ["--progress", "none"], False, False),
        ({}, ["-q"], False, False),
    ],
)
def test_bar_on_a_terminal(
    app: str,
    work: Path,
    tmp: Path,
    env: dict[str, str],
    options: list[str],
    bar: bool,
    colour: bool,
) -> None:
    """It is drawn, coloured unless NO_COLOR is set, and gone when the summary comes."""
    said = on_a_terminal(
        *("squash", app, "-o", f"docker-archive:{work}/new.tar:a:b", *options), tmp=tmp, env=env
    )
    assert ("\x1b[?25l" in said) is bar  # the cursor is hidden while the bar moves
    assert ("\x1b[?25h" in said) is bar
    assert (COLOUR.search(said.replace("\x1b[0m", "")) is not None) is colour
    assert "-:--:--" not in said  # figures of which none is known yet
    if "-q" not in options:
        last = said.rstrip().splitlines()[-1]
        assert "1 layer" in last
        assert "\x1b" not in last
