"""The documentation as a site: whole, searchable and on its own, from a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import DESKTOP, PHONE, Browser
from tests.engines.daemon import EngineUnavailableError
from tests.install.conftest import ROOT, run_free

pytestmark = [pytest.mark.browser, pytest.mark.install]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make site` builds; it fails where a link leads to nothing."""
    folder = tmp_path_factory.mktemp("site")
    try:
        run_free("make", "--no-print-directory", "site", f"DIST={folder}", cwd=ROOT)
    except EngineUnavailableError as error:
        pytest.skip(str(error))
    return folder / "site"


class Page(HTMLParser):
    """What a page refers to, and the places in it that can be referred to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the attributes that are addresses or anchors."""
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        if tag == "a":
            self.links.add(given.get("href", ""))
        elif tag == "link":
            self.loads.add(given.get("href", ""))
        elif "src" in given:
            self.loads.add(given["src"])


def local(addresses: set[str]) -> Iterator[tuple[str, str]]:
    """Yield path and anchor of each address that has no host."""
    for address in addresses:
        parts = urlsplit(address)
        if not parts.scheme and not parts.netloc:
            yield unquote(parts.path), unquote(parts.fragment)


def test_every_page_of_the_documentation_is_there(site: Path) -> None:
    """And can be reached from the front page's navigation."""
    front = Page(site / "index.html")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / name).is_file()
        assert name in {path.removeprefix("./") for path, _ in local(front.links)}, name


def test_no_link_is_dead(site: Path) -> None:
    """Every page, picture, style, script and anchor that a page names is in the folder."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 30
    for here, page in pages.items():
        if here.name == "404.html":
            continue
        for path, anchor in local(page.links | page.loads):
            target = (here.parent / path).resolve() if path else here
            assert target.exists(), f"{here.name}: {path}"
            if anchor and target in pages:
                assert anchor in pages[target].anchors, f"{here.name}: {path}#{anchor}"


def test_links_have_titles_not_file_names(site: Path) -> None:
    """What a page's source calls docs/install.md has that page's name here."""
    names = re.compile(r">[\w./-]+\.md</a>")
    for path in site.rglob("*.html"):
        assert names.findall(path.read_text(encoding="utf-8")) == [], path.name


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No font, script or picture has a host in its address."""
    for path in site.rglob("*.html"):
        assert not {load for load in Page(path).loads if urlsplit(load).netloc}, path.name


@pytest.mark.parametrize("name", ["index", "tour", "cli", "troubleshooting", "how-to/secrets"])
def test_a_page_fits_and_asks_nobody(browser: Browser, site: Path, name: str) -> None:
    """It is no wider than the window, the console is empty, and all requests are for files."""
    browser.open(site / f"{name}.html", PHONE)
    for size in (PHONE, DESKTOP):
        browser.show(size)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    assert browser.complaints() == []
    schemes = {urlsplit(request).scheme for request in browser.requests()}
    assert schemes <= {"file", "data", "blob"}


def test_search_finds_a_word(browser: Browser, site: Path) -> None:
    """From a folder, without a server: results lead to pages that are there."""
    browser.open(site / "index.html")
    wait = WebDriverWait(browser.driver, 30)
    field = "return !!document.activeElement.shadowRoot?.activeElement?.matches('input')"

    def is_open(_: object) -> bool:
        if not browser.run(field):  # the page may not listen to keys yet
            browser.keys("/")
        return bool(browser.run(field))

    wait.until(is_open)
    browser.keys("whiteout")
    found = (
        "return [...document.activeElement.shadowRoot.querySelectorAll('a')]"
        ".filter((a) => a.textContent.includes('whiteout')).map((a) => a.href)"
    )
    pages = wait.until(lambda _: browser.run(found))
    assert all(Path(unquote(urlsplit(page).path)).is_file() for page in pages)
    schemes = {urlsplit(request).scheme for request in browser.requests()}
    assert schemes <= {"file", "data", "blob"}
