"""``lamella analyze A --compare B``: two images side by side, as text, as JSON, as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.support.images import docker_archive
from tests.support.tars import layer, whiteout

_BASE = layer(("etc/conf", b"c" * 9000), ("bin/tool", b"t" * 300_000))
_OLD = layer(("app/main", b"m" * 90_000), ("app/old/x", b"x" * 5000), ("app/old/y", b"y" * 5000))
_NEW = layer(("app/main", b"m" * 60_000), ("srv/<b>new</b>", b"n" * 7000))


@pytest.fixture
def both(work: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two images with one base, named from the folder that they are in."""
    (work / "a.tar").write_bytes(docker_archive(_BASE, _OLD, layer(whiteout("bin/tool"))))
    (work / "b.tar").write_bytes(docker_archive(_BASE, _NEW))
    monkeypatch.chdir(work)
    return ["a.tar", "--compare", "b.tar"]


def test_what_only_one_has(lamella: Lamella, both: list[str]) -> None:
    """Topmost paths with all that is in them; what both have, by size; the layers they share."""
    document = json.loads(lamella("analyze", *both, "--json").worked().out)
    assert document["same_layers"] == {"count": 1, "bytes": len(_BASE)}
    assert [(x["path"], x["directory"], x["entries"]) for x in document["only_a"]["paths"]] == [
        ("app/old", True, 2 + 1)
    ]
    assert document["only_a"]["bytes"] == 2 * (512 + 5120)
    assert [x["path"] for x in document["only_b"]["paths"]] == ["srv", "bin/tool"][::-1]
    assert document["only_b"]["bytes"] == (512 + 300_032) + (512 + 7168)
    assert document["changed"] == {
        "count": 1,
        "bytes": (512 + 60_416) - (512 + 90_112),
        "paths": [{"path": "app/main", "before": 512 + 90_112, "after": 512 + 60_416}],
    }
    for side, name in (("a", "a.tar"), ("b", "b.tar")):
        alone = json.loads(lamella("analyze", name, "--json").worked().out)
        assert document[side] == alone


def test_screen(lamella: Lamella, both: list[str]) -> None:
    """80 columns, both sizes and the difference."""
    lines = lamella("analyze", *both).worked().text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["a.tar", "b.tar"]
    assert "the lowest layer is the same: 311 kB" in lines
    assert "only in a.tar: 11.3 kB" in lines
    assert "differ in size: 1 file, -29.7 kB" in lines
    assert any(line.endswith("→ 60.9 kB   /app/main") for line in lines)


def test_page(lamella: Lamella, both: list[str], work: Path) -> None:
    """Names are text in it, whatever they look like; it loads nothing, and runs nothing."""
    lamella("analyze", *both, "--html", "page.html").worked()
    page = (work / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<b>new</b>" not in page
    assert "/srv/" in page
    assert "default-src 'none'" in page
    assert "<script" not in page.lower()


def test_an_image_beside_itself(lamella: Lamella, both: list[str]) -> None:
    """All is the same."""
    text = lamella("analyze", "a.tar", "--compare", "a.tar").worked().text
    assert text.count("nothing\n") == 2
    assert "the lowest 3 layers are the same" in text
    assert "files that both have are of the same size" in text
    assert both


@pytest.mark.parametrize("more", [["--max-dead", "5%"], ["--format", "sarif"]])
def test_rules_hold_for_one_image(lamella: Lamella, both: list[str], more: list[str]) -> None:
    """Said before anything is read."""
    lamella("analyze", *both, *more).failed(2, "--compare goes with --html and --json")


def test_second_image_that_is_not_there(lamella: Lamella, both: list[str]) -> None:
    """The line names it."""
    lamella("analyze", both[0], "--compare", "./nosuch.tar").failed(7, "nosuch.tar")
