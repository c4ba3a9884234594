"""Sliders, tables and the map, with a mouse and with a keyboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.remote.webelement import WebElement

from lamella.analysis.model import Analysis, Usage
from lamella.report.text import human_size
from tests.browser.chromium import PHONE, Browser
from tests.browser.samples import large

pytestmark = pytest.mark.browser


@pytest.fixture
def shown(browser: Browser, pages: dict[str, Path]) -> Browser:
    """The browser with the page of the demo's image."""
    browser.open(pages["demo"])
    return browser


# -- what if


def chosen(browser: Browser) -> tuple[int, int]:
    """Return what the sliders say."""
    first, last = browser.run("return [first.value, last.value]")
    return int(first), int(last)


def told(browser: Browser) -> list[str]:
    """Return what is said of the range."""
    texts: list[str] = browser.run(
        "return ['result', 'before', 'after', 'image']"
        ".map((id) => document.getElementById(id).innerText)"
    )
    return texts


def expected(analysis: Analysis, first: int, last: int) -> list[str]:
    """Return what must be said: the analysis' figures."""
    saving = analysis.savings[first, last]
    word = "Costs" if saving.saved < 0 else "Saves"
    size = abs(saving.saved)
    count = len(analysis.layers) - last + first
    return [
        "One layer: nothing to squash"
        if first == last
        else f"{word} {human_size(size)} ({size:,} bytes)",
        human_size(saving.before),
        human_size(saving.after),
        f"{count} layer{'s' * (count > 1)}, {human_size(analysis.total - saving.saved)}",
    ]


def test_what_if_starts_with_the_best_squash(shown: Browser, demo: Analysis) -> None:
    """As the command line has it."""
    assert chosen(shown) == (2, 10)
    assert told(shown) == expected(demo, 2, 10)


def test_every_range_has_its_exact_figures_by_keyboard(shown: Browser, demo: Analysis) -> None:
    """Arrow keys, Home and End; each range of ten layers."""
    first, last = shown.one("#first"), shown.one("#last")
    count = len(demo.layers)
    first.send_keys(Keys.HOME)
    for a in range(1, count + 1):
        last.send_keys(Keys.END)
        for b in range(count, a - 1, -1):
            assert chosen(shown) == (a, b)
            assert told(shown) == expected(demo, a, b)
            picked = shown.run("return document.querySelectorAll('#layers li.picked').length")
            assert picked == (b - a + 1 if a < b else 0)
            if b > a:
                last.send_keys(Keys.ARROW_LEFT)
        first.send_keys(Keys.ARROW_RIGHT)


def test_what_costs_is_said_to_cost(browser: Browser, pages: dict[str, Path]) -> None:
    """In the sample two layers together are bigger than apart."""
    browser.open(pages["large"])
    analysis = large()
    browser.one("#last").send_keys(Keys.END)
    browser.one("#first").send_keys(Keys.END, Keys.ARROW_LEFT)
    assert chosen(browser) == (126, 127)
    assert told(browser) == expected(analysis, 126, 127)
    assert told(browser)[0] == "Costs 700 B (700 bytes)"


def test_what_is_no_longer_shared_is_said(browser: Browser, pages: dict[str, Path]) -> None:
    """Of the sample other images have the lowest three layers; what is above costs them nothing."""
    browser.open(pages["large"])
    analysis = large()
    browser.one("#last").send_keys(Keys.END)
    browser.one("#first").send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    lost = human_size(analysis.sharing_lost(analysis.savings[2, 127]))
    assert browser.one("#lost").text.split("\n") == ["No longer shared", lost]
    browser.one("#last").send_keys(Keys.HOME)
    assert not browser.one("#lost").is_displayed()
    browser.one("#last").send_keys(Keys.END)
    browser.one("#first").send_keys(*[Keys.ARROW_RIGHT] * 3)
    assert chosen(browser) == (4, 127)
    assert not browser.one("#lost").is_displayed()
    assert len(browser.all("#layers .shared")) == 3


def test_sliders_push_each_other(shown: Browser) -> None:
    """The first layer is never after the last one."""
    shown.one("#last").send_keys(Keys.HOME)
    assert chosen(shown) == (1, 1)
    shown.one("#first").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert chosen(shown) == (3, 3)
    shown.one("#last").send_keys(Keys.ARROW_LEFT)
    assert chosen(shown) == (2, 2)


@pytest.mark.parametrize("share", [0.3, 0.62])
def test_what_if_by_mouse(shown: Browser, demo: Analysis, share: float) -> None:
    """A click on the slider, and a drag from there to its end."""
    slider = shown.one("#first")
    shown.run("arguments[0].scrollIntoView({block: 'center'})", slider)
    half = slider.size["width"] / 2
    to = round(half * (2 * share - 1))
    mouse = ActionChains(shown.driver, duration=0)
    mouse.move_to_element_with_offset(slider, to, 0).click().perform()
    first, last = chosen(shown)
    assert 1 < first < last == 10
    assert abs((first - 1) / 9 - share) < 0.12
    assert told(shown) == expected(demo, first, last)
    mouse.click_and_hold().move_by_offset(round(half) - to, 0).release().perform()
    assert chosen(shown) == (10, 10)


def test_the_squashes_that_are_worth_it_can_be_shown(shown: Browser, demo: Analysis) -> None:
    """Each is a button that sets the sliders; the command says the same."""
    for button in shown.all(".pick button"):
        first, last = map(int, re.findall(r"\d+", button.text))
        button.click()
        assert chosen(shown) == (first, last)
        assert told(shown) == expected(demo, first, last)
        assert shown.one("#command").text.split()[-3:] == [
            "--layers",
            f"{first}-{last}",
            "--dry-run",
        ]


# -- tables


def column(table: WebElement, number: int) -> list[str]:
    """Return the texts of a column."""
    cells = table.find_elements("css selector", f"tbody tr > :nth-child({number})")
    return [cell.text for cell in cells]


def test_tables_are_sorted_by_mouse_and_by_keyboard(shown: Browser, demo: Analysis) -> None:
    """Sizes by their bytes, biggest first; once more, smallest first; names by the alphabet."""
    table = shown.one("#figures table")
    size, step = table.find_elements("css selector", "thead button")[2::9]
    assert (size.text, step.text) == ("Size", "Step")
    size.click()
    by_size = sorted(demo.layers, key=lambda layer: -layer.size)
    assert column(table, 3) == [human_size(layer.size) for layer in by_size]
    head = size.find_element("xpath", "..")
    assert head.get_attribute("aria-sort") == "descending"
    assert shown.driver.switch_to.active_element == size
    shown.keys(Keys.ENTER)
    assert column(table, 3) == [human_size(layer.size) for layer in reversed(by_size)]
    assert head.get_attribute("aria-sort") == "ascending"
    step.send_keys(Keys.SPACE)
    steps = column(table, 12)
    assert steps == sorted(steps)
    assert [h.get_attribute("aria-sort") for h in table.find_elements("tag name", "th")[:12]] == [
        *[None] * 11,
        "ascending",
    ]


def test_tables_lose_no_row(shown: Browser, demo: Analysis) -> None:
    """Each column of each table."""
    texts = "return [...arguments[0].tBodies].flatMap((e) => [...e.rows]).map((e) => e.innerText)"
    for table in shown.all("table.sortable"):
        rows = sorted(shown.run(texts, table))
        assert rows
        for button in table.find_elements("css selector", "thead button"):
            button.click()
            assert sorted(shown.run(texts, table)) == rows


# -- the map


def cell(browser: Browser, name: str) -> WebElement:
    """Return the part of the map that stands for a place."""
    return next(
        c for c in browser.all("#map > *") if str(c.get_attribute("aria-label")).startswith(name)
    )


def names(place: Usage) -> list[str]:
    """Return the places in one, as the table below the map has them."""
    return [kid.name.decode() + "/" * bool(kid.kids) for kid in place.kids]


def test_areas_are_as_big_as_what_they_stand_for(shown: Browser, demo: Analysis) -> None:
    """To three in a hundred: there are lines between them."""
    whole = shown.one("#map").size
    area, total = whole["width"] * whole["height"], demo.root.live + demo.root.dead
    for kid in demo.root.kids:
        box = cell(shown, f"{kid.name.decode()}/").size
        share = (kid.live + kid.dead) / total
        assert abs(box["width"] * box["height"] / area - share) < 0.03


def test_the_map_opens_and_closes_by_mouse(shown: Browser, demo: Analysis) -> None:
    """A click goes down, the path above the map leads back; the table goes with it."""
    app = next(kid for kid in demo.root.kids if kid.name == b"app")
    src = next(kid for kid in app.kids if kid.name == b"src")
    cell(shown, "app/").click()
    assert shown.texts("#place-table .path")[: len(app.kids)] == names(app)
    cell(shown, "src/").click()
    assert shown.texts("#crumbs li") == ["/", "app", "src"]
    assert shown.texts("#place-table .path")[: len(src.kids)] == names(src)
    assert shown.one("#where").get_property("textContent") == (
        f"/app/src: {human_size(src.live + src.dead)}, "
        f"{100 * src.dead / (src.live + src.dead):.1f} % dead"
    )
    shown.one("#crumbs li:nth-child(2) button").click()
    assert shown.texts("#place-table .path")[: len(app.kids)] == names(app)
    shown.one("#crumbs button").click()
    assert shown.texts("#crumbs li") == ["/"]


def test_a_directory_and_what_is_nearly_all_of_it_are_one(shown: Browser) -> None:
    """As people say it: there is no need to open three to see what is in the last."""
    places = ["var/cache/apt/", "srv/", "usr/", "app/", "bin/", "(smaller)"]
    assert shown.texts("#place-table .path") == places
    cell(shown, "var/cache/apt/").click()
    assert shown.texts("#place-table .path")[:2] == ["archives/", "pkgcache.bin"]


def test_the_map_opens_and_closes_by_keyboard(shown: Browser) -> None:
    """One stop for Tab; arrows go around, Enter down, Escape up, to where one came from."""
    stops = [c for c in shown.all("#map button") if c.get_property("tabIndex") == 0]
    assert len(stops) == 1
    stops[0].send_keys(Keys.END, Keys.HOME, Keys.ARROW_RIGHT)
    second = shown.driver.switch_to.active_element.get_attribute("aria-label")
    assert second == shown.all("#map button")[1].get_attribute("aria-label")
    shown.keys(Keys.ARROW_LEFT, Keys.ENTER)
    assert shown.texts("#crumbs li") == ["/", "var/cache/apt"]
    shown.keys(Keys.ESCAPE)
    assert shown.texts("#crumbs li") == ["/"]
    active = shown.driver.switch_to.active_element
    assert str(active.get_attribute("aria-label")).startswith("var/cache/apt/, 8.78 MB, 100.0 % de")
    shown.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    assert shown.texts("#crumbs li") == ["/", "usr"]
    shown.keys(Keys.ENTER)
    assert shown.texts("#crumbs li")[:2] == ["/", "usr"]
    assert len(shown.all("#crumbs li")) == 3
    shown.keys(Keys.BACKSPACE, Keys.BACKSPACE)
    assert shown.texts("#crumbs li") == ["/"]


def test_the_map_fits_when_the_window_changes(shown: Browser) -> None:
    """Nothing sticks out of it, and what had the focus keeps it."""
    cell(shown, "srv/").send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    before = shown.driver.switch_to.active_element.get_attribute("aria-label")
    shown.command(
        "Emulation.setDeviceMetricsOverride",
        width=PHONE[0],
        height=PHONE[1],
        deviceScaleFactor=1,
        mobile=False,
    )
    shown.driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
    )
    assert shown.driver.switch_to.active_element.get_attribute("aria-label") == before
    box = shown.one("#map").rect
    assert box["width"] <= PHONE[0]
    for part in shown.all("#map > *"):
        assert part.rect["x"] + part.rect["width"] <= box["x"] + box["width"] + 2  # its border
        assert part.rect["y"] + part.rect["height"] <= box["y"] + box["height"] + 2


# -- copying, filtering, long tables


def test_code_is_copied_without_a_network(shown: Browser) -> None:
    """By the button beside it; what was copied is what stands there."""
    shown.run(
        "document.execCommand = () => { window.copied = String(getSelection()); return true }"
    )
    shown.run("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    box = shown.all("#advice .code")[-1]
    box.find_element("css selector", "button").click()
    assert box.find_element("css selector", "button").text == "Copied"
    code = box.find_element("css selector", "code").text
    assert str(shown.run("return window.copied")).strip() == code
    assert code.startswith("lamella squash ")


def test_paths_are_filtered(shown: Browser) -> None:
    """By any part of them, and the bytes of those that are left are said."""
    shown.one("#filter").send_keys("APP/")
    rows = [row for row in shown.all("#dead tbody tr") if row.is_displayed()]
    assert [row.text.split()[0] for row in rows] == ["/app/src/", "/app/src/m00/"]
    assert shown.one("#filtered").text == "2 of 6, 1.52 MB"
    shown.one("#filter").send_keys(Keys.BACKSPACE * 4)
    assert len([row for row in shown.all("#dead tbody tr") if row.is_displayed()]) == 6


def test_long_tables_begin_with_the_biggest(browser: Browser, pages: dict[str, Path]) -> None:
    """A button shows the rest; what the filter finds is shown at once."""
    browser.open(pages["large"])

    def count() -> int:
        return sum(row.is_displayed() for row in browser.all("#dead tbody tr"))

    assert count() == 25
    browser.one("#filter").send_keys("usr/lib/99")
    assert count() == 1
    browser.one("#filter").send_keys(Keys.BACKSPACE * 10)
    browser.one("#dead .more").click()
    assert count() == 100
