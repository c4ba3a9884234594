"""`lamella plan`: which images, what it prints, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lamella.fleet.plan_file import read_plan
from tests.cli.conftest import Lamella
from tests.support.images import docker_archive
from tests.support.tars import layer, whiteout

_BASE, _CLEAN = layer(("big", b"1" * 9000), ("live", b"0" * 9000)), layer(whiteout("big"))
_FLEET = {"a": (_BASE, _CLEAN, layer("a")), "b": (_BASE, _CLEAN, layer("b")), "base": (_BASE,)}


@pytest.fixture(autouse=True)
def fleet(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some images in the working folder."""
    for name, tars in _FLEET.items():
        (work / f"{name}.tar").write_bytes(docker_archive(*tars, tags=[f"{name}:1"]))
    (work / "list").write_text("# ours\n\na.tar\n  b.tar \n")
    monkeypatch.chdir(work)


def test_it_prints_the_plan(lamella: Lamella) -> None:
    """And writes nothing."""
    ran = lamella("plan", "a.tar", "b.tar").worked()
    assert ran.text.startswith("2 images  4 layers, ")
    assert ran.text.count("  1-2  ") == 2
    assert "no plan saves more" in ran.text
    assert ran.err == ""


@pytest.mark.parametrize(
    "args", [["--list", "list"], ["a.tar", "b.tar", "a.tar"], ["a.tar", "--list", "-"]]
)
def test_images_come_from_lists_too(lamella: Lamella, args: list[str]) -> None:
    """Each is taken once, whichever list it is in."""
    ran = lamella("plan", *args, "--json", stdin=b"b.tar\n").worked()
    assert [one["image"] for one in json.loads(ran.out)["images"]] == ["a.tar", "b.tar"]


def test_the_plan_is_written_to_a_file(lamella: Lamella, work: Path) -> None:
    """With the page, if that is wanted."""
    lamella("plan", "--list", "list", "-o", "plan.json", "--html", "plan.html").worked()
    plan = read_plan((work / "plan.json").read_bytes(), "plan.json")
    assert [(one.image, one.squash) for one in plan] == [("a.tar", ("1-2",)), ("b.tar", ("1-2",))]
    assert (work / "plan.html").read_text().startswith("<!doctype html>")


def test_the_page_to_standard_output_is_all_there_is(lamella: Lamella) -> None:
    """As with `analyze`."""
    ran = lamella("plan", "--list", "list", "--html", "-").worked()
    assert ran.text.startswith("<!doctype html>")
    assert ran.text.endswith("</html>\n")


def test_a_base_is_kept(lamella: Lamella) -> None:
    """Though it is dead weight."""
    ran = lamella("plan", "--list", "list", "--keep", "base.tar", "--json").worked()
    assert [one["squash"] for one in json.loads(ran.out)["images"]] == [["2-3"], ["2-3"]]


def test_layers_are_bounded(lamella: Lamella) -> None:
    """Each image has at most so many."""
    ran = lamella("plan", "--list", "list", "--max-layers", "1", "--json").worked()
    assert [one["layers_after"] for one in json.loads(ran.out)["images"]] == [1, 1]


def test_a_new_layer_must_be_worth_it(lamella: Lamella) -> None:
    """What saves less is left alone."""
    ran = lamella("plan", "--list", "list", "--min-saved", "1MB").worked()
    assert "nothing to squash: no squash would save anything" in ran.text


def test_pulls_are_weighed(lamella: Lamella, work: Path) -> None:
    """The lines of a file, numbers first."""
    (work / "pulls").write_text("# a week\n100 a.tar\n 0 b.tar\n")
    ran = lamella("plan", "--list", "list", "--pulls", "pulls", "--json").worked()
    found = json.loads(ran.out)
    assert found["pulled"]["after"] == 100 * found["images"][0]["bytes_after"]


def test_what_can_not_be_read_is_told(lamella: Lamella, work: Path) -> None:
    """The others are planned; the exit code is that of `batch`."""
    (work / "bad.tar").write_bytes(b"no image")
    names = ["a.tar", "docker-archive:none.tar", "b.tar"]
    ran = lamella("plan", *names, "--json", "-o", "plan.json", "--html", "plan.html")
    assert ran.code == 7
    told = "1 image can't be read and is not in the plan:\n  docker-archive:none.tar: "
    assert ran.err.startswith(told)
    document = json.loads(ran.out)
    assert [one["image"] for one in document["images"]] == ["a.tar", "b.tar"]
    [unread] = document["unread"]
    assert (unread["image"], unread["exit_code"]) == ("docker-archive:none.tar", 7)
    assert unread["message"] in ran.err
    assert "docker-archive:none.tar</bdi>" in (work / "plan.html").read_text()
    planned = read_plan((work / "plan.json").read_bytes(), "plan.json")
    assert [one.image for one in planned] == ["a.tar", "b.tar"]
    ran = lamella("plan", *names, "bad.tar")
    assert (ran.code, "2 images can't be read and are not in" in ran.err) == (1, True)
    assert ran.text.startswith("2 images  4 layers, ")
    assert lamella("plan", *names, "docker://127.0.0.1:1/a:1").code == 5


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 2, "no images: name some, or give a list by --list FILE"),
        (["--list", "none"], 2, "--list none: No such file"),
        (["docker-archive:none.tar"], 7, "none.tar"),
        (["--list", "list", "--max-layers", "0"], 2, "--max-layers 0: expected a number of layers"),
        (["--list", "list", "--min-saved", "x"], 2, "--min-saved: expected a size like 10MB"),
        (["--list", "list", "--pulls", "list"], 2, "expected lines NUMBER IMAGE, got 'a.tar'"),
        (["a.tar", "--keep", "docker-archive:none.tar"], 7, "none.tar"),
        (["a.tar", "--html", "-", "--json"], 2, "both write to standard output"),
        (["a.tar", "-o", "no/plan.json"], 1, "no/plan.json"),
    ],
)
def test_what_goes_wrong_is_told(lamella: Lamella, args: list[str], code: int, words: str) -> None:
    """In one line."""
    lamella("plan", *args).failed(code, words)
