"""Layers have numbers, which are printed as they can be typed: in a shell, # begins a comment."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella

_NUMBER = re.compile(r"#\d")


@pytest.mark.parametrize(
    "arguments",
    [
        ["layers"],
        ["layers", "--dead"],
        ["analyze"],
        ["analyze", "--json"],
        ["analyze", "--format", "markdown"],
        ["analyze", "--forbid-secrets", "--format", "github"],
        ["analyze", "--forbid-secrets", "--format", "sarif"],
        ["plan"],
        ["squash", "9"],
    ],
    ids=" ".join,
)
def test_numbers_are_plain(lamella: Lamella, image: str, arguments: list[str]) -> None:
    """`squash app #1 x` is `squash app` to a shell."""
    command, *options = arguments
    ran = lamella(command, image, *options)
    assert ran.out or ran.err
    assert not _NUMBER.search(ran.text), ran.text
    assert not _NUMBER.search(ran.err), ran.err


def test_numbers_on_the_page_are_plain(lamella: Lamella, image: str) -> None:
    """What can be copied from it is its text."""
    page = lamella("analyze", image, "--html", "-").worked().text
    text = unescape(re.sub(r"(?s)<style.*?</style>|<script.*?</script>|<[^>]*>", " ", page))
    assert "layer" in text
    assert not _NUMBER.search(text)


def test_a_number_is_also_read_as_it_was_printed_before(
    lamella: Lamella, app: str, work: Path
) -> None:
    """`#N` stays a name of a layer, quoted, wherever a layer is asked for."""
    lamella("squash", app, "#1", "-o", f"{work}/one.tar").worked()
    lamella("squash", app, "1", "-o", f"{work}/two.tar").worked()
    assert (work / "one.tar").read_bytes() == (work / "two.tar").read_bytes()
    listed = lamella("ls", app, "--layer", "#1").worked().text
    assert lamella("ls", app, "--layer", "1").worked().text == listed
