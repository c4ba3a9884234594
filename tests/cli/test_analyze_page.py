"""``lamella analyze --html``: a page in a file, or on standard output."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.cli.running import run


def is_page(text: str, typed: str) -> bool:
    """Whether this is the whole of it, with what to type for the image."""
    whole = text.startswith("<!doctype html>") and text.endswith("</html>\n")
    return whole and f'"lamella","squash","{typed}","--layers"' in text


def test_page_is_written_beside_the_answer(lamella: Lamella, app: str, work: Path) -> None:
    """The screen, or the document, stays what it is without."""
    for more in ([], ["--json"]):
        plain = lamella("analyze", app, *more).worked()
        page = work / "page.html"
        page.write_text("an older one")
        assert lamella("analyze", app, *more, "--html", str(page)).worked().out == plain.out
        assert is_page(page.read_text(encoding="utf-8"), app)
    assert sorted(path.name for path in work.iterdir()) == ["app.tar", "page.html"]


def test_page_goes_to_standard_output(lamella: Lamella, app: str, work: Path) -> None:
    """The same page, and nothing else; the rules are said on standard error."""
    page = work / "page.html"
    lamella("analyze", app, "--html", str(page)).worked()
    ran = lamella("analyze", app, "--html", "-", "--max-dead-bytes", "0B").worked(6)
    assert ran.text == page.read_text(encoding="utf-8")
    assert ran.err.splitlines()[-1].startswith("FAIL  max-dead-bytes: ")


def test_two_answers_do_not_share_standard_output(lamella: Lamella, app: str) -> None:
    """Said before anything is read."""
    lamella("analyze", app, "--json", "--html", "-").failed(2, "--html a file")


@pytest.mark.parametrize("place", ["nowhere/page.html", ".", "/dev/full"])
def test_page_that_cannot_be_written(tmp: Path, app: str, work: Path, place: str) -> None:
    """The answer is given up, and nothing is left behind."""
    ran = run("analyze", app, "--html", place, tmp=tmp, cwd=work)
    ran.failed(1, place)
    assert [path.name for path in work.iterdir()] == ["app.tar"]


def test_page_of_an_image_without_a_file_name(lamella: Lamella, app: str, work: Path) -> None:
    """From standard input."""
    image = Path(app.partition(":")[2]).read_bytes()
    page = work / "page.html"
    lamella("analyze", "-", "--html", str(page), stdin=image).worked()
    assert is_page(page.read_text(encoding="utf-8"), "-")
