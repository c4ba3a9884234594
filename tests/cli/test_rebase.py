"""``lamella rebase``: what it prints, where, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.support.images import docker_archive
from tests.support.tars import layer, link
from tests.transport.forms import tars_of_archive

OLD, NEW = layer(("lib", b"1")), layer(("lib", b"22"))
QUIET, OWN = layer(("app", b"a")), layer(("lib", b"mine"))
BROKEN = layer(link("l", "lib"))


@pytest.fixture
def images(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with images and bases."""
    stacks = {
        "old": [OLD],
        "new": [NEW],
        "quiet": [OLD, QUIET],
        "app": [OLD, OWN],
        "broken": [OLD, BROKEN],
    }
    for name, tars in stacks.items():
        (work / f"{name}.tar").write_bytes(docker_archive(*tars, tags=[f"{name}:1"]))
    monkeypatch.chdir(work)
    return work


@pytest.mark.usefixtures("images")
def test_a_check_prints_the_report(lamella: Lamella) -> None:
    """On standard output; the exit code tells whether there is more than notes."""
    assert lamella("rebase", "quiet.tar", "old.tar", "new.tar", "--check").worked().text == ""
    ran = lamella("rebase", "app.tar", "old.tar", "new.tar", "--check").worked(4)
    assert ran.text == (
        "warning: replaces a file that the new base changed (file-changed)\n  /lib (layer 2)\n"
    )
    assert "report  1 warning" in ran.err
    ran = lamella("rebase", "app.tar", "old.tar", "new.tar", "--check", "--json", "-q").worked(4)
    assert json.loads(ran.text)["counts"] == {"error": 0, "warning": 1, "note": 0}
    assert ran.err == ""


def test_a_rebase_prints_what_it_made(lamella: Lamella, images: Path) -> None:
    """Standard output has the new image's name, or the image; standard error the warnings."""
    output = "docker-archive:out.tar:app:2"
    ran = lamella("rebase", "app.tar", "old.tar", "new.tar", "-o", output).worked()
    assert ran.text.startswith("sha256:")
    assert "warning: replaces a file" in ran.err
    assert tars_of_archive(images / "out.tar") == [NEW, OWN]
    ran = lamella("rebase", "app.tar", "old.tar", "new.tar", "-o", "-", "-q").worked()
    (images / "piped.tar").write_bytes(ran.out)
    assert tars_of_archive(images / "piped.tar") == [NEW, OWN]


@pytest.mark.usefixtures("images")
def test_errors(lamella: Lamella) -> None:
    """One line each."""
    out = ("-o", "docker-archive:out.tar")
    lamella("rebase", "broken.tar", "old.tar", "new.tar", *out).failed(1, "hard link", "/l")
    lamella("rebase", "broken.tar", "old.tar", "new.tar", "--check").worked(4)
    lamella("rebase", "app.tar", "new.tar", "old.tar", *out).failed(2, "from layer 1 on")
    lamella("rebase", "app.tar", "old.tar", "new.tar").failed(2, "-o")
    lamella("rebase", "app.tar", "", "new.tar", *out).failed(2, "OLDBASE is empty")
    lamella("rebase", "app.tar", "old.tar", "none.tar", *out).failed(7, "none.tar")
    lamella("rebase", "-", "-", "new.tar", *out).failed(2, "standard input")
