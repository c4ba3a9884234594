"""The page loads nothing, sends nothing, and shows names as text whatever they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from tests.browser.chromium import DESKTOP, PHONE, Browser
from tests.browser.samples import HOSTILE

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_nothing_is_loaded_and_nothing_complains(
    browser: Browser, page: Path, size: tuple[int, int]
) -> None:
    """Not a font, not an icon; and no script fails, nor breaks the page's own policy."""
    browser.open(page, size)
    browser.one("#map button.opens").click()
    assert browser.requests() == [page.as_uri()]
    assert browser.complaints() == []


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine: its address, and what was asked of it."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}", asked
        web.shutdown()
        thread.join()


_TRY_ALL = """
const [address, done] = [arguments[0], arguments[1]];
const add = (name, values) => {
  const made = Object.assign(document.createElement(name), values);
  return new Promise((end) => {
    made.onload = made.onerror = end;
    document.body.append(made);
    setTimeout(end, 1500);
  });
};
const inline = document.createElement("script");
inline.textContent = "document.harm = 1";
document.body.append(inline);
Promise.allSettled([
  fetch(address + "/fetch", { mode: "no-cors" }),
  add("img", { src: address + "/img" }),
  add("script", { src: address + "/script" }),
  add("link", { rel: "stylesheet", href: address + "/link" }),
  add("iframe", { src: address + "/iframe" }),
]).then(() => done(document.harm || 0));
"""
_ASKED = {"/fetch", "/img", "/script", "/link", "/iframe"}


def test_the_page_forbids_itself_to_reach_anybody(
    browser: Browser, pages: dict[str, Path], server: tuple[str, list[str]]
) -> None:
    """Even if a name got in as markup: nothing is fetched, and no other script is run."""
    address, asked = server
    browser.open(pages["demo"])
    assert browser.driver.execute_async_script(_TRY_ALL, address) == 0
    assert asked == []


def test_without_its_policy_it_could(
    browser: Browser, pages: dict[str, Path], server: tuple[str, list[str]], tmp_path: Path
) -> None:
    """The test above can fail."""
    address, asked = server
    text = pages["demo"].read_text(encoding="utf-8")
    (tmp_path / "open.html").write_text(text.replace("Content-Security-Policy", "x"), "utf-8")
    browser.open(tmp_path / "open.html")
    assert browser.driver.execute_async_script(_TRY_ALL, address) == 1
    assert set(asked) >= _ASKED


def test_hostile_names_are_text(browser: Browser, pages: dict[str, Path]) -> None:
    """In tables, in the stack, in the command, in the map and on the way into it."""
    browser.open(pages["hostile"])
    shown = list(HOSTILE.values())
    paths = browser.texts("#secrets .path")
    assert paths == [f"/root/{name}" for name in shown]
    assert browser.texts("#dead .path") == [
        f"/a/{name}{'/' * (n % 2 == 0)}" for n, name in enumerate(shown[:-1], 1)
    ]
    assert browser.texts("#layers .step") == shown
    assert browser.texts("#place-table .path")[:-1] == [f"{name}/" for name in shown]
    reference = "'</title><script>document.harm=1</script>\\udcff"
    assert browser.one("h1").text == reference
    assert browser.driver.title.startswith(reference)
    for name in shown:
        cell = next(c for c in browser.all("#map button") if label(c).startswith(f"{name}/, "))
        browser.run("arguments[0].click()", cell)
        assert browser.texts("#crumbs li") == ["/", name]
        assert {label(c).partition(", ")[0] for c in browser.all("#map button")} == {
            *shown,
            "(smaller)",
        }
        browser.one("#crumbs button").click()
    assert browser.run("return document.harm") is None
    assert browser.complaints() == []


def label(cell: object) -> str:
    """Return a control's name."""
    return str(cell.get_attribute("aria-label"))  # type: ignore[attr-defined]


def test_hostile_names_make_no_elements(browser: Browser, pages: dict[str, Path]) -> None:
    """What is in the page is what the template and the script put there; no text turns around."""
    browser.open(pages["hostile"])
    assert len(browser.all("script")) == 2
    assert browser.all("img, iframe, object, embed, body b b, [onerror], [onfocus]") == []
    raw = browser.run("return document.documentElement.outerHTML")
    assert not {c for c in raw if c in "\x00\x1b\u2028\u202e\u2066\u200f"}
    assert browser.driver.switch_to.active_element.tag_name == "body"


def test_without_scripts_hostile_names_are_text_too(
    browser: Browser, pages: dict[str, Path]
) -> None:
    """The parser alone makes nothing of them."""
    browser.open(pages["hostile"], script=False)
    assert browser.texts("#secrets .path") == [f"/root/{name}" for name in HOSTILE.values()]
    assert len(browser.driver.find_elements(By.TAG_NAME, "script")) == 2
