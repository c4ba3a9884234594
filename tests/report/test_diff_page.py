"""The page of what changed, as text; tests/browser looks at it in a browser."""

from __future__ import annotations

from dataclasses import replace

from lamella.report.diff_page import page
from tests.browser.samples import HOSTILE, changed
from tests.report.elements import Elements

NAMES = ("<b>one</b>", "\u202eother")


def test_names_and_contents_are_escaped() -> None:
    """They make no elements, and no attribute holds code; the page has no script."""
    found = Elements(page(changed(), NAMES))
    for shown in HOSTILE.values():
        assert shown in found.text
    assert {tag for tag, _ in found.tags}.isdisjoint({"script", "img", "b", "i"})
    for _, attributes in found.tags:
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
    assert "\u202e" not in found.text


def test_each_tree_has_its_side() -> None:
    """What only one image has leaves the other side empty."""
    one = replace(changed().changes[1], path=b"d/one")
    text = page(replace(changed(), changes=(one,), config=(), contents=()), NAMES)
    row = text.partition('<th scope="rowgroup"')[2].partition("</tbody>")[0]
    cells = Elements(f"<th{row}").text.split()
    assert "".join(cells) == "/done99Bremoved"
    assert row.count('<td class="path"></td><td></td>') == 1


def test_nothing_changed_is_said() -> None:
    """And the same difference gives the same page."""
    nothing = replace(changed(), changes=(), config=(), contents=())
    assert "All files are the same." in page(nothing, NAMES)
    assert page(changed(), NAMES) == page(changed(), NAMES)


def test_long_lists_are_cut() -> None:
    """The rest is counted."""
    many = tuple(replace(changed().changes[0], path=b"d/%06d" % n) for n in range(5003))
    text = page(replace(changed(), changes=many), NAMES)
    assert "3 more lines: --json lists all." in text
