"""The page can be read: on any screen, light and dark, on paper, without scripts, aloud."""

from __future__ import annotations

import base64
import re
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Keys

from lamella.analysis.model import Analysis
from lamella.report.html import render
from lamella.report.text import human_size
from tests.browser.chromium import DESKTOP, PHONE, Browser
from tests.browser.looking import COLOURS, contrast, luminance
from tests.browser.samples import HOSTILE, much_advice

pytestmark = pytest.mark.browser

_WIDE = (3840, 2160)
_SMALLEST, _PAPER = (320, 640), (718, 1000)  # A4 between its margins, in CSS pixels

# -- contrast


def test_contrast_is_what_the_standard_says() -> None:
    """Black on white is 21 to 1."""
    assert contrast([0, 0, 0], [255, 255, 255]) == pytest.approx(21)
    assert contrast([118, 118, 118], [255, 255, 255]) == pytest.approx(4.54, abs=0.01)


def test_everything_can_be_read(browser: Browser, page: Path) -> None:
    """Text has 4.5 to 1 at least, what pictures are made of 3 to 1; light, dark and on paper."""
    browser.open(page)
    for dark, medium in product([False, True], ["", "print"]):
        browser.show(dark=dark, medium=medium)
        found = browser.run(COLOURS)
        assert len(found) > 100
        low = [
            (what, round(ratio, 2))
            for what, ink, paper in found
            if (ratio := contrast(ink, paper))
            < (3 if what.startswith("<") and what[-1] == ">" else 4.5)
        ]
        assert low == [], (dark, medium)
        is_dark = luminance(found[0][2]) < 0.1
        assert is_dark is (dark and not medium)


# -- layout


_CUT = """
    return [...document.querySelectorAll(".scroll, .crumbs, .code")]
      .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent.slice(0, 40));
"""


def test_nothing_is_wider_than_the_screen(browser: Browser, page: Path) -> None:
    """Nor has a table to be scrolled to the side: without room for columns, rows are cards."""
    browser.open(page, PHONE)
    for size in (PHONE, _SMALLEST, (768, 1024), DESKTOP, _WIDE):
        browser.show(size)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
        assert browser.run(_CUT) == [], size


def test_cards_have_the_names_of_columns(browser: Browser, pages: dict[str, Path]) -> None:
    """On a phone each figure is told with its name; those that are nothing are left out."""
    browser.open(pages["demo"], PHONE)
    names = """
        return [...document.querySelectorAll(arguments[0] + " tbody tr:first-child td")]
          .filter((e) => e.checkVisibility())
          .map((e) => getComputedStyle(e, "::before").content.replaceAll('"', "").trim());
    """
    assert browser.run(names, "#figures")[1:-1] == [
        *("Size", "Stored", "Live", "Deleted", "Duplicate", "Entries"),
    ]
    assert browser.run(names, "#places") == ["none", "none", "live", "dead", "entries"]
    browser.open(pages["demo"])
    given = browser.run("""
        const row = document.querySelector("#figures tbody tr");
        const heads = document.querySelectorAll("#figures thead th");
        return [...row.cells].filter((e) => e.dataset.name)
          .map((e) => [e.dataset.name, heads[e.cellIndex].textContent.replaceAll("\u00ad", "")]);
    """)
    assert [name for name, _ in given] == [head for _, head in given]


def test_commands_are_broken_between_words(browser: Browser, pages: dict[str, Path]) -> None:
    """Neither the numbers of a range nor an option is cut in two at its hyphen."""
    browser.open(pages["demo"], PHONE)
    lines = browser.run("""
        return [...document.querySelectorAll(".word")]
          .filter((e) => e.textContent.length < 20 && e.checkVisibility())
          .map((e) => [e.textContent, e.getClientRects().length, e.offsetHeight]);
    """)
    assert "2-10" in [text for text, _, _ in lines]
    assert [text for text, parts, height in lines if parts > 1 or height > 30] == []


def test_much_advice_is_folded(browser: Browser, tmp_path: Path) -> None:
    """The first ten are shown, and the squash; all with a button, on paper and without scripts."""
    page = tmp_path / "page.html"
    page.write_text(render(much_advice()), encoding="utf-8")
    browser.open(page)
    everything = len(browser.all(".advice > li"))
    assert everything > 20

    def shown() -> list[str]:
        return [e.text for e in browser.all(".advice > li") if e.is_displayed()]

    assert len(shown()) == 11
    assert "squash layers" in shown()[-1]
    browser.one("#advice .more").click()
    assert len(shown()) == everything
    assert browser.run("return document.activeElement.className") == "advice"
    browser.open(page, medium="print")
    assert len(shown()) == everything
    browser.open(page, script=False)
    assert len(shown()) == everything


def test_wide_screens_are_used(browser: Browser, pages: dict[str, Path]) -> None:
    """At 3840 pixels the map and the dead paths are side by side."""
    browser.open(pages["demo"], _WIDE)
    assert browser.one("main").rect["width"] > 0.85 * _WIDE[0]
    assert browser.one("#dead").rect["x"] > browser.one("#map").rect["x"] + 1000


def test_controls_can_be_hit(browser: Browser, page: Path) -> None:
    """On a phone 24 pixels each way, as WCAG 2.2 has it (2.5.8); in the map size means bytes."""
    browser.open(page, PHONE)
    small = browser.run("""
        const found = [...document.querySelectorAll("button:not(.cell), input, nav a")];
        return found.map((e) => [e.textContent, e.getBoundingClientRect()])
          .filter(([_, box]) => box.width && (box.width < 24 || box.height < 24))
          .map(([text, box]) => text + " " + box.width + " x " + box.height);
    """)
    assert small == []


def test_paper_has_all_and_no_controls(browser: Browser, page: Path) -> None:
    """No table is cut off, and what is only for a screen is left out."""
    browser.open(page, _PAPER, medium="print")
    cut = browser.run("""
        return [...document.querySelectorAll(".scroll, body")]
          .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className);
    """)
    assert cut == []
    assert [e for e in browser.all("input, nav, .skip") if e.is_displayed()] == []


def test_heads_are_repeated_on_paper(browser: Browser, pages: dict[str, Path]) -> None:
    """Chromium leaves buttons out of a head that it repeats; no head has a box that is one."""
    browser.open(pages["demo"], _PAPER, medium="print")
    kinds = browser.run(
        "return [...document.querySelectorAll('th button')].map((e) => getComputedStyle(e).display)"
    )
    assert set(kinds) == {"contents"}


def test_paper_can_be_had(browser: Browser, pages: dict[str, Path]) -> None:
    """The demo's page is a few sheets."""
    browser.open(pages["demo"])
    answer = browser.command("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
    counts = re.findall(
        rb"/Type /Pages\b.*?/Count (\d+)", base64.b64decode(answer["data"]), re.DOTALL
    )
    assert 2 <= int(counts[0]) <= 6


def test_large_images_have_a_page_of_modest_size(browser: Browser, pages: dict[str, Path]) -> None:
    """As many layers, places and dead paths as there can be: a megabyte, and no long task."""
    assert pages["large"].stat().st_size < 1_000_000
    browser.open(pages["large"])
    assert browser.run("return document.querySelectorAll('*').length") < 12_000
    cell = browser.one("#map button.opens")
    milliseconds = browser.run(
        "const start = performance.now(); arguments[0].click(); return performance.now() - start",
        cell,
    )
    assert milliseconds < 1000


def test_two_images_fit_and_can_be_read(browser: Browser, pages: dict[str, Path]) -> None:
    """Side by side, whatever is in names; nothing runs, nothing is complained of."""
    browser.open(pages["compare"], PHONE)
    for size, dark in product([PHONE, _SMALLEST, DESKTOP, _WIDE], [False, True]):
        browser.show(size, dark=dark)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
        assert browser.run(_CUT) == []
        low = [what for what, ink, paper in browser.run(COLOURS) if contrast(ink, paper) < 3]
        assert low == []
        sides = [one.rect["x"] for one in browser.all("#stack .pair > div")]
        assert (sides[0] < sides[1]) is (size[0] > 1000)
    assert browser.run("return document.harm") is None
    assert browser.complaints() == []


def test_what_changed_fits_and_can_be_read(browser: Browser, pages: dict[str, Path]) -> None:
    """Whatever is in names, values and contents; nothing runs, nothing is complained of."""
    browser.open(pages["diff"], PHONE)
    for size, dark in product([PHONE, _SMALLEST, DESKTOP], [False, True]):
        browser.show(size, dark=dark)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
        assert browser.run(_CUT) == []
        low = [what for what, ink, paper in browser.run(COLOURS) if contrast(ink, paper) < 3]
        assert low == []
    assert browser.run("return document.harm") is None
    assert browser.complaints() == []


def test_a_plan_fits_and_can_be_read(browser: Browser, pages: dict[str, Path]) -> None:
    """Whatever is in names; nothing runs, nothing is complained of, and no box is lost."""
    browser.open(pages["plan"], PHONE)
    boxes = """
        return [...document.querySelectorAll("svg.fleet :is(rect.kept, rect.gone, rect.new)")]
          .map((e) => e.getBoundingClientRect().width);
    """
    for size, dark in product([PHONE, _SMALLEST, DESKTOP], [False, True]):
        browser.show(size, dark=dark)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
        assert min(browser.run(boxes)) > 0
    assert len(browser.all("svg.fleet")) == 2
    assert browser.run("return document.harm") is None
    assert browser.complaints() == []


# -- motion


@pytest.mark.parametrize("still", [True, False])
def test_nothing_moves_if_the_system_asks_for_that(
    browser: Browser, pages: dict[str, Path], still: bool
) -> None:
    """Neither the map nor the way to an anchor."""
    browser.open(pages["demo"], still=still)
    browser.run("document.querySelector('#map button.opens').click()")
    moving = browser.run("return document.getAnimations().length")
    scrolling = browser.run("return getComputedStyle(document.documentElement).scrollBehavior")
    assert (moving == 0, scrolling) == (still, "auto" if still else "smooth")


# -- without scripts


def test_the_facts_are_there_without_scripts(
    browser: Browser, pages: dict[str, Path], demo: Analysis
) -> None:
    """Bars, tables, what is worth squashing; and no control that does nothing."""
    browser.open(pages["demo"], script=False)
    facts = browser.one(".facts").text
    for size in (demo.total, demo.live_bytes, demo.dead_bytes):
        assert human_size(size) in facts
    assert len(browser.all("#layers li:not(.letters) .bar rect.dead")) == len(demo.layers)
    assert len(browser.all("#figures tbody tr")) == len(demo.layers)
    assert browser.texts("#dead .path")[0] == "/var/cache/apt/archives/"
    assert browser.texts("#place-table .path") == [
        "var/cache/apt/",
        *("srv/", "usr/", "app/", "bin/", "(smaller)"),
    ]
    assert browser.one("#best-title + table tbody tr").text.split() == (
        ["A", "2–10", "12.8", "MB", "15.0", "MB,", "2", "layers"]  # noqa: RUF001 - a range
    )
    assert [e for e in browser.all("button, input, #map, kbd") if e.is_displayed()] == []


def test_bars_are_as_long_as_layers_are_big(
    browser: Browser, pages: dict[str, Path], demo: Analysis
) -> None:
    """Live and dead, measured in the browser."""
    browser.open(pages["demo"])
    largest = max(layer.size for layer in demo.layers)
    for layer, bar in zip(demo.layers, browser.all("#layers li:not(.letters) .bar"), strict=True):
        whole = bar.rect["width"]
        for kind, size in (
            ("live", layer.live),
            ("dead", layer.dead.total),
            ("other", layer.other),
        ):
            part = bar.find_element("css selector", f"rect.{kind}")
            assert part.rect["width"] / whole == pytest.approx(size / largest, abs=0.01)


# -- aloud

_CONTROLS = {
    "button",
    "slider",
    "link",
    "table",
    "region",
    "navigation",
    "group",
    "form",
    "heading",
}


def read_aloud(browser: Browser) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what assistive tools are told: role, name and properties, in order."""
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    return [
        (
            str(node["role"]["value"]),
            str(node.get("name", {}).get("value", "")).strip(),
            {p["name"]: p["value"].get("value") for p in node.get("properties", [])},
        )
        for node in nodes
        if not node["ignored"]
    ]


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_everything_has_a_name(browser: Browser, page: Path, size: tuple[int, int]) -> None:
    """Controls, regions, tables; headings come in order; there is one main part."""
    browser.open(page, size)
    nodes = read_aloud(browser)
    assert [(role, name) for role, name, _ in nodes if role in _CONTROLS and not name] == []
    levels = [facts["level"] for role, _, facts in nodes if role == "heading"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    roles = [role for role, _, _ in nodes]
    assert {roles.count(role) for role in ("main", "banner", "contentinfo")} == {1}
    assert [name for role, name, _ in nodes if role == "slider"] == ["From layer", "to layer"]


def test_ids_are_unique_and_what_is_referred_to_is_there(browser: Browser, page: Path) -> None:
    """Of labels, descriptions and anchors."""
    browser.open(page)

    def values(selector: str, name: str) -> list[str]:
        """Return what an attribute is, in each element that a selector means."""
        all_of = "[...document.querySelectorAll(arguments[0])]"
        found = browser.run(
            f"return {all_of}.map((e) => e.getAttribute(arguments[1]))", selector, name
        )
        return [str(value) for value in found]

    ids = values("[id]", "id")
    assert len(ids) == len(set(ids))
    wanted = values("[aria-labelledby]", "aria-labelledby") + values("[for]", "for")
    wanted += [address[1:] for address in values("main a, nav a, .skip", "href")]
    assert set(wanted) <= set(ids)
    assert browser.one("html").get_attribute("lang") == "en"
    assert browser.all("th:not([scope])") == []


def test_sliders_say_the_step(browser: Browser, pages: dict[str, Path]) -> None:
    """Not a bare number; hostile ones are said as they are written."""
    browser.open(pages["hostile"])
    first, last = (e.get_attribute("aria-valuetext") for e in browser.all("input[type=range]"))
    steps = list(HOSTILE.values())
    assert (first, last) == (f"layer 1: {steps[0]}", f"layer {len(steps)}: {steps[-1]}")


def test_tab_goes_through_all_controls_in_order(browser: Browser, pages: dict[str, Path]) -> None:
    """Each can be seen to have the focus; no one holds it."""
    browser.open(pages["demo"])
    count = browser.run("""
        const found = [...document.querySelectorAll("a, button, input, [tabindex]")];
        window.stops = found.filter((e) => e.tabIndex >= 0 && e.checkVisibility());
        return window.stops.length;
    """)
    assert count > 30
    for number in range(count):
        browser.keys(Keys.TAB)
        at, outline, top = browser.run("""
            const e = document.activeElement, style = getComputedStyle(e);
            const at = window.stops.indexOf(e), top = e.getBoundingClientRect().top;
            return [at, parseFloat(style.outlineWidth), top];
        """)
        assert at == number
        assert outline >= 2
        assert 0 <= top < DESKTOP[1]
