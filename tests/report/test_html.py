"""The page of an analysis, as text; tests/browser looks at it in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from lamella.analysis.model import Usage
from lamella.merge.causes import Dropped
from lamella.report.html import render
from tests.browser.samples import HOSTILE, hostile, make_analysis, make_layer

_NOTHING = Usage(b"", 0, 0, 0, ())


class _Elements(HTMLParser):
    """Takes a page apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.raw[f"{self.cdata_elem}{len(self.raw)}"] = data
        else:
            self.text += data


def test_same_analysis_same_page() -> None:
    """To the byte: there is no date in it, and nothing drawn by lot."""
    assert render(hostile()) == render(hostile())


def test_only_its_own_style_and_script_are_allowed() -> None:
    """The policy names them by their hashes, and nothing else but pictures that are in the page."""
    page = _Elements(render(hostile()))
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.keys() == {
        "default-src",
        "style-src",
        "script-src",
        "img-src",
        "base-uri",
        "form-action",
    }
    assert {rules[name] for name in ("default-src", "base-uri", "form-action")} == {"'none'"}
    style, _, script = page.raw.values()
    for name, part in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"


def test_nothing_is_referred_to_outside() -> None:
    """All addresses are anchors in the page; no attribute holds code or style."""
    for tag, attributes in _Elements(render(hostile())).tags:
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
        assert "src" not in attributes
        for name in ("href", "xlink:href", "action"):
            address = attributes.get(name)
            assert address is None or address == "data:," or address.startswith("#"), (tag, address)


def test_names_are_escaped() -> None:
    """In text and in JSON; nothing in the page closes the script that holds it."""
    text = render(hostile())
    page = _Elements(text)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert text.count("</script") == 2
    for shown in HOSTILE.values():
        assert shown in page.text
    data = list(page.raw.values())[1]
    assert not set(data) & set("<>&\u2028\u202e")
    assert data.isascii()
    assert [kid[0] for kid in json.loads(data)["places"][4]][:-1] == list(HOSTILE.values())


def test_ranges_have_their_figures() -> None:
    """By first and last layer: bytes before and after, as the analysis has them."""
    analysis = hostile()
    found = json.loads(list(_Elements(render(analysis)).raw.values())[1])["savings"]
    for (first, last), saving in analysis.savings.items():
        assert found[first - 1][last - first] == [saving.before, saving.after]
    assert sum(map(len, found)) == len(analysis.savings)


def test_one_layer_has_nothing_to_try() -> None:
    """Neither sliders nor squashes, nor dead paths."""
    page = _Elements(render(make_analysis([make_layer(1, 4096)], _NOTHING)))
    assert "input" not in [tag for tag, _ in page.tags]
    for words in (
        "No squash would make it smaller",
        "Nothing is dead",
        "No file looks like a key",
        "(no step is told)",
    ):
        assert words in page.text


def test_secrets_that_were_not_looked_for() -> None:
    """Is not the same as none."""
    analysis = replace(hostile(), secrets=None)
    assert "They were not looked for" in render(analysis)


def test_an_empty_image_is_drawn() -> None:
    """Shares of nothing are nothing."""
    layers = [replace(make_layer(n, 0, Dropped()), size=0) for n in (1, 2)]
    text = render(make_analysis(layers, _NOTHING))
    assert re.search(r"<dd[^>]*>0 B <small>0\.0 %", text)
    assert "nan" not in text.lower().split()
