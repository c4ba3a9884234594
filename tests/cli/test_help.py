"""`lamella help`: what it finds, and who shows it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from lamella.cli.group import cli
from lamella.cli.topics import TOPICS
from tests.cli.conftest import Lamella
from tests.cli.running import COMMAND, environment, run

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_its_document(lamella: Lamella, topic: str) -> None:
    """To the byte, where nobody sits before it."""
    page = (DOCS / TOPICS[topic].page).read_bytes()
    assert lamella("help", topic).worked().out == page


def test_without_a_topic_all_are_listed(lamella: Lamella) -> None:
    """With the commands."""
    text = lamella("help").worked().text
    for name in (*TOPICS, *cli.list_commands(click.Context(cli))):
        assert f"\n  {name} " in text


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_a_command_has_its_own_help(lamella: Lamella, name: str) -> None:
    """The same as by --help; so no topic may be called like a command."""
    assert name not in TOPICS
    assert lamella("help", name).worked().out == lamella(name, "--help").worked().out


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["jsn"], ["'jsn'", "did you mean 'json'?"]),
        (["zzz"], ["'zzz'", "`lamella help`"]),
        (["squash", "json"], ["'squash json'"]),
    ],
)
def test_an_unknown_topic_is_wrong_usage(
    lamella: Lamella, typed: list[str], words: list[str]
) -> None:
    """With the way out."""
    lamella("help", *typed).failed(2, *words)


def test_a_shell_completes_topics_and_commands(tmp: Path) -> None:
    """With what a topic is about beside it."""
    typed = {"COMP_WORDS": "lamella help c", "COMP_CWORD": "2"}
    ran = run(tmp=tmp, env={"_LAMELLA_COMPLETE": "zsh_complete", **typed})
    lines = ran.worked().text.splitlines()
    offered = dict(zip(lines[1::3], lines[2::3], strict=True))
    assert (offered["ci"], offered["cat"]) == (TOPICS["ci"].about, "_")
    assert all(name.startswith("c") for name in offered)


def on_terminal(
    tmp: Path, *args: str, pager: str, until: bytes = b"", typed: bytes = b""
) -> tuple[int, str]:
    """Run lamella on a terminal; return its exit code, and what was seen there.

    Args:
        tmp: its TMPDIR.
        args: its arguments.
        pager: the command that shows what is long.
        until: what is waited for before something is typed.
        typed: what is typed then.
    """
    ours, theirs = pty.openpty()
    # Who leads a session and opens a terminal has it: that is where Ctrl-C comes from.
    opened = ("sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(theirs), COMMAND)
    env = environment(tmp, {"PAGER": pager, "TERM": "xterm"})
    command: list[str | Path] = [*opened, *args]
    with subprocess.Popen(command, env=env, stdin=theirs, start_new_session=True) as child:
        os.close(theirs)
        seen = read_until(ours, lambda text: bool(until) and until in text)
        if typed:
            os.write(ours, typed)
            seen += read_until(ours, lambda text: False)
        code = child.wait(60)
    os.close(ours)
    return code, seen.decode()


def read_until(fd: int, enough: Callable[[bytes], bool]) -> bytes:
    """Read a terminal to its end, or until that is there which is waited for."""
    seen = b""
    while not enough(seen):
        assert select.select([fd], [], [], 60)[0], seen
        try:
            some = os.read(fd, 65536)
        except OSError:  # Linux: everybody has left
            break
        if not some:
            break
        seen += some
    return seen


def test_on_a_terminal_a_pager_shows_it(tmp: Path) -> None:
    """The one of PAGER; that it takes only the beginning is no failure."""
    code, seen = on_terminal(tmp, "help", "json", pager="head -n 1")
    assert (code, seen.split()) == (0, ["#", "JSON", "for", "programs"])


def test_ctrl_c_is_for_the_pager(tmp: Path, tmp_path: Path) -> None:
    """It ends when its user wants, however often that is typed, and so does lamella: no word."""
    script = tmp_path / "pager"
    lines = (
        "#!/bin/sh",
        "trap 'for i in $(seq 500); do kill -INT $PPID; done; echo done; exit 0' INT",
        "echo ready",
        "while :; do sleep 0.1; done",
    )
    script.write_text("\n".join(lines), encoding="utf-8")
    script.chmod(0o755)
    code, seen = on_terminal(tmp, "help", "json", pager=str(script), until=b"ready", typed=b"\x03")
    assert (code, "done" in seen, "interrupted" in seen) == (0, True, False)
