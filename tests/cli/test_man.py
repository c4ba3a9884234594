"""Pages for `man`: what programs that show them say of them, and what is in them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from lamella.cli.group import cli
from lamella.cli.man import pages
from tests.engines.tools import Tool

PAGES = dict(pages(cli, "1.2.3", "2026-01-31"))


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Each page in turn, as a file."""
    path = tmp_path / str(request.param)
    path.write_text(PAGES[path.name], encoding="ascii")
    return path


def shown(*command: str | Path) -> tuple[int, str]:
    """Run a command that shows a page; return how it ended, and what it complains of."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stderr + (done.stdout if "lint" in command else "")


def test_there_is_a_page_for_each_command() -> None:
    """And one for all of them, which leads to the others."""
    names = [f"lamella-{name}.1" for name in cli.list_commands(click.Context(cli))]
    assert list(PAGES) == ["lamella.1", *names]
    for name in names:
        assert f".BR {name.removesuffix('.1')} (1)".replace("-", "\\-") in PAGES["lamella.1"]


def test_man_warns_of_nothing(man: Tool, page: Path) -> None:
    """As groff reads it."""
    words = ("--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
    assert shown(man.path, *words) == (0, "")


def test_mandoc_warns_of_nothing(mandoc: Tool, page: Path) -> None:
    """As macOS, Alpine and the BSDs read it."""
    assert shown(mandoc.path, "-T", "lint", "-W", "warning", page) == (0, "")


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_a_page_has_what_the_help_has(mandoc: Tool, tmp_path: Path, name: str) -> None:
    """Every word of it, in its order, for whoever reads the page."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    path = tmp_path / "page.1"
    path.write_text(PAGES[f"lamella-{name}.1"], encoding="ascii")
    text = mandoc("-T", "utf8", "-O", "width=500", path)
    read = re.sub(".\b", "", text).split()
    context = click.Context(command, **cli.context_settings, terminal_width=500)
    for part in re.split(r"\n\n|\n(?= +-)", command.get_help(context).replace("`", ""))[1:]:
        lines = part.partition(":\n")[2].split("\n") if part.startswith("Commands") else []
        words = part.partition(":\n")[2].split() if part.startswith("Options") else part.split()
        for wanted in [line.split()[1:] for line in lines] or [words]:
            assert " ".join(wanted) in " ".join(read)


def test_text_is_no_request() -> None:
    """What begins like one, or has a backslash, is shown as it is."""

    @click.group(help="One.\n\n.so /etc/passwd\n\n\b\n'br\n\\n(.x — y")
    def odd() -> None: ...

    ((_, text),) = pages(odd, "1", "2026-01-31")
    assert "\n\\&.so /etc/passwd\n" in text
    assert "\n\\&'br\n\\en(.x \\[u2014] y\n" in text
