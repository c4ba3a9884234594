"""Paths are marked on the page, and the command that it gives leaves them out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.remote.webelement import WebElement

import lamella
from lamella import api
from lamella.analysis.model import Saving
from lamella.cli.main import main
from lamella.report.html import render
from lamella.report.text import human_size
from tests.browser.chromium import DESKTOP, PHONE, Browser
from tests.browser.looking import COLOURS, contrast
from tests.support.images import docker_archive
from tests.support.tars import layer, whiteout

pytestmark = pytest.mark.browser

BIG = b"x" * 4000
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
ODD = [
    b"star*.txt",
    b"wh?t.txt",
    b"[ab].txt",
    b"back\\slash",
    b"!bang",
    b"#hash",
    b"-dash",
    b" blanks ",
    b'it\'s $HOME `id` "q"',
    b"caf\xe9.txt",
    b"line\nend",
    "gr\u00fcn".encode(),
]
"""Names that patterns or shells read otherwise than they are written."""
ALIKE = [b"starry.txt", b"what.txt", b"a.txt", b"backslash", b"bang", b"hash", b"cafe.txt"]
"""What such patterns would match."""


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image of such names, at the top and in a directory; the working folder has it."""
    names = [*ODD, *ALIKE, *(b"odd/" + name for name in (*ODD, *ALIKE))]
    bottom = layer("base/", ("base/old", BIG), ("base/other", BIG))
    dead = layer("tmp/", ("tmp/gone", BIG * 4))
    files = layer("odd/", *((name, BIG) for name in names), whiteout("tmp"))
    cache = layer("var/", "var/cache/", "var/cache/apt/", ("var/cache/apt/pkg.bin", BIG * 9))
    key = layer("root/", "root/.ssh/", ("root/.ssh/id_ed25519", KEY + BIG))
    path = tmp_path / "app.tar"
    path.write_bytes(docker_archive(bottom, dead, files, cache, key))
    monkeypatch.chdir(tmp_path)
    return path


def open_page(browser: Browser, image: Path) -> None:
    """Show the page of an image, as the command writes it."""
    assert main(["analyze", image.name, "--html", "page.html", "-q"]) == 0
    browser.open(image.with_name("page.html"))


def only(
    savings: Mapping[tuple[int, int], Saving], *ends: tuple[int, int]
) -> dict[tuple[int, int], Saving]:
    """Return savings of which only some save anything."""
    return {
        both: one if both in ends else replace(one, after=one.before)
        for both, one in savings.items()
    }


def files(image: str) -> set[bytes]:
    """Return the paths that an image shows."""
    with lamella.open_image(image) as seen:
        return {file.path.encode("utf-8", "surrogateescape") for file in seen.files()}


def boxes(browser: Browser) -> dict[str, WebElement]:
    """Return what can be ticked in the table of places, by name."""
    return {
        str(box.get_attribute("aria-label")).removeprefix("Leave out /"): box
        for box in browser.all("#place-table input.tick")
    }


def click(element: WebElement) -> None:
    """Click where the bar at the bottom isn't."""
    element.parent.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def command(browser: Browser) -> list[str]:
    """Return the words of the command, as a shell reads it."""
    return shlex.split(browser.texts("#leave-command")[0])


def excluded(words: Sequence[str]) -> list[str]:
    """Return the patterns of a command."""
    return [value for name, value in pairwise(words) if name == "--exclude"]


def test_the_command_leaves_out_exactly_what_is_marked(browser: Browser, odd: Path) -> None:
    """Pasted as it is; names that only look alike stay."""
    open_page(browser, odd)
    shown = {name: box for name, box in boxes(browser).items() if "/" not in name}
    alike = {name.decode() for name in ALIKE}
    ticked = [box for name, box in shown.items() if name not in {*alike, "odd", "base", "var"}]
    for box in ticked:
        click(box)
    assert len(excluded(command(browser))) == len(ticked) >= len(ODD)
    assert browser.one("#leave-unseen").is_displayed()
    assert main([*command(browser)[1:], "-q", "--verify"]) == 0
    [made] = set(odd.parent.glob("*.tar")) - {odd}
    gone = files(odd.name) - files(made.name)
    assert gone >= set(ODD)
    assert gone - set(ODD) <= {b"root", b"root/.ssh", b"root/.ssh/id_ed25519"}


def test_what_is_in_a_marked_directory_goes_with_it(browser: Browser, odd: Path) -> None:
    """By keyboard, from the table and from the map; what is in it needs no mark of its own."""
    open_page(browser, odd)
    boxes(browser)["odd"].send_keys(Keys.SPACE)
    assert excluded(command(browser)) == ["odd"]
    cell = next(
        c
        for c in browser.all("#map .cell")
        if str(c.get_attribute("aria-label")).startswith("odd/")
    )
    assert cell.get_attribute("aria-description") == "left out"
    cell.send_keys(Keys.ENTER)
    inside = boxes(browser)
    assert all(box.is_selected() and not box.is_enabled() for box in inside.values())
    browser.keys(Keys.ESCAPE)
    browser.keys("x")
    assert not browser.one("#leave").is_displayed()
    browser.keys(Keys.ENTER)
    click(boxes(browser)["odd/a.txt"])
    assert excluded(command(browser)) == ["odd/a.txt"]
    click(browser.one("#crumbs button"))
    click(boxes(browser)["odd"])
    assert excluded(command(browser)) == ["odd"]
    size = next(kid.live for kid in api.analyze(odd.name).root.kids if kid.name == b"odd")
    assert browser.one("#leave-told").text == f"1 path to leave out, {human_size(size)}"


def test_bytes_that_ship_all_the_same_are_told(browser: Browser, odd: Path) -> None:
    """And a button squashes from the layer that has them; a layer above is squashed, too."""
    found = api.analyze(odd.name)
    found = replace(found, savings=only(found.savings, (2, 3)))
    page = odd.with_name("page.html")
    page.write_text(render(found, naming="-t a:b -o made.tar"), encoding="utf-8")
    browser.open(page)
    click(boxes(browser)["base"])
    assert command(browser)[3:5] == ["--layers", "2-3"]
    kept = browser.one("#leave-kept")
    assert kept.text.startswith("Layer 1 is kept, with 9.73 kB of these bytes.")
    kept.find_element("tag name", "button").click()
    assert not kept.is_displayed()
    assert command(browser)[3:5] == ["--layers", "1-3"]
    click(boxes(browser)["root"])
    assert command(browser)[3:5] == ["--layers", "1-5"]
    assert main([*command(browser)[1:], "-q"]) == 0
    assert {path for path in files("made.tar") if path.startswith((b"base", b"root"))} == set()
    click(browser.one("#leave-none"))
    assert not browser.one("#leave").is_displayed()
    assert not any(box.is_selected() for box in browser.all("input.tick"))


def test_secrets_and_caches_can_be_marked(browser: Browser, odd: Path) -> None:
    """Where they are told; the list of what is marked unmarks one."""
    open_page(browser, odd)
    click(browser.one("#secret-table input.tick"))
    click(browser.one("#advice .caches input.tick"))
    assert excluded(command(browser)) == ["root/.ssh/id_ed25519", "var/cache/apt"]
    click(browser.one("#leave-told"))
    assert [e.text.split()[0] for e in browser.all("#leave-list li")] == [
        *("/root/.ssh/id_ed25519", "/var/cache/apt")
    ]
    click(browser.one("#leave-list button"))
    assert excluded(command(browser)) == ["var/cache/apt"]
    assert not browser.one("#secret-table input.tick").is_selected()


_CUT = "return [...document.querySelectorAll('.code')].filter((e) => e.scrollWidth > e.clientWidth)"


def test_marks_fit_and_can_be_read(browser: Browser, page: Path) -> None:
    """On any screen, in any colours; on paper without controls."""
    browser.open(page)
    for box in browser.all("#place-table input.tick")[:6]:
        click(box)
    click(browser.one("#leave-told"))
    sizes = [PHONE, (320, 640), (768, 1024), DESKTOP, (3840, 2160)]
    for size, dark in product(sizes, [False, True]):
        browser.show(size, dark=dark)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
        assert browser.run(_CUT) == []
        assert browser.one("#leave").size["height"] < 0.6 * size[1]
        low = [
            (what, ratio)
            for what, ink, paper in browser.run(COLOURS)
            if (ratio := contrast(ink, paper)) < 4.5 and not what.startswith("<")
        ]
        assert low == [], (size, dark)
    browser.show((718, 1000), medium="print")
    assert browser.one("#leave-command").is_displayed()
    assert [e for e in browser.all("#leave button, input") if e.is_displayed()] == []


def test_the_focus_is_not_below_the_bar(browser: Browser, pages: dict[str, Path]) -> None:
    """https://www.w3.org/TR/WCAG22/#focus-not-obscured-minimum."""
    browser.open(pages["demo"])
    click(browser.one("#place-table input.tick"))
    seen = 0
    for _ in range(40):
        browser.keys(Keys.TAB)
        hidden = browser.run("""
            const e = document.activeElement, bar = document.getElementById("leave");
            if (bar.contains(e) || e === document.body) return null;
            const [at, over] = [e, bar].map((one) => one.getBoundingClientRect());
            return at.top >= over.top && at.bottom <= over.bottom;
        """)
        assert hidden in {False, None}
        seen += hidden is False
    assert seen > 20


def test_without_scripts_there_is_nothing_to_tick(browser: Browser, odd: Path) -> None:
    """Nor a word of it."""
    open_page(browser, odd)
    browser.open(odd.with_name("page.html"), script=False)
    assert "Tick" not in browser.one("body").text
    assert browser.all("input.tick") == []


def test_a_page_without_a_squash_has_a_command(browser: Browser, tmp_path: Path) -> None:
    """Of the layers of what is marked alone."""
    path = tmp_path / "a.tar"
    path.write_bytes(docker_archive(*(layer((name, BIG)) for name in "abc")))
    found = api.analyze(str(path))
    found = replace(found, savings=only(found.savings))
    page = tmp_path / "page.html"
    page.write_text(render(found, naming="-t a:b"), encoding="utf-8")
    browser.open(page)
    click(boxes(browser)["b"])
    assert command(browser)[3:] == ["--layers", "2", "--exclude", "b", "-t", "a:b"]
    click(boxes(browser)["c"])
    assert command(browser)[3:5] == ["--layers", "2-3"]
