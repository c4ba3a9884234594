"""A plan for many images, as text, as JSON and as a page."""

from __future__ import annotations

import json
import re
from random import Random

from lamella.fleet.best import FleetPlan, choose_plan
from lamella.fleet.tree import Catalogue, FleetImage
from lamella.report.fleet_page import page
from lamella.report.fleet_plan import branches, screen, to_json
from lamella.spec.digest import Digest
from tests.fleet.catalogues import made_up, of_tars
from tests.support.tars import layer, whiteout

_BASE, _CLEAN = layer(("big", b"1" * 9000), ("live", b"0" * 9000)), layer(whiteout("big"))
_FLEET = (
    (_BASE, _CLEAN, layer("a"), layer("b")),
    (_BASE, _CLEAN, layer("c")),
    (_BASE,),
    (layer("d"),),
)
_HOSTILE = '</title><script>alert(1)</script>\u202e\x1b[31m"'


def _plan(names: str = "img-{}", **asked: int) -> FleetPlan:
    case = of_tars(_FLEET)
    images = [
        FleetImage(names.format(place), one.diff_ids, one.sizes, (0,) * len(one.sizes), steps)
        for place, one in enumerate(case.catalogue.images)
        for steps in [tuple(f"RUN {names.format(n)}" for n, _ in enumerate(one.sizes))]
    ]
    return choose_plan(Catalogue.of(images), case.sizes, **asked)  # type: ignore[arg-type]


def test_screen_tells_the_tree_and_what_to_squash() -> None:
    """Each branch once, shared ones first; images by what they lose."""
    lines = screen(_plan(max_layers=2))
    assert lines[0].startswith("4 images  6 layers, ")
    assert [line.split()[4:] for line in lines[4:9]] == [
        ["1", "img-2"],
        ["2", "RUN", "img-1"],
        ["3-4", "img-0"],
        ["3", "img-1"],
        ["1", "img-3"],
    ]
    assert any(line.endswith(" 2-4              img-0") for line in lines)
    assert "  2 images stay as they are" in lines
    assert lines[-2].startswith("stored  ")
    assert max(map(len, lines)) <= 80


def test_nothing_to_squash_is_told() -> None:
    """Where every image is best as it is."""
    case = of_tars(((layer("a"),),))
    lines = screen(choose_plan(case.catalogue, case.sizes))
    assert "nothing to squash: no squash would save anything" in lines
    assert lines[-1] == "no plan saves more"


def test_branches_are_all_of_the_tree() -> None:
    """Each node is in one of them, after what it stands on."""
    for seed in range(30):
        tree = made_up(Random(seed)).catalogue
        found = [node for branch in branches(tree) for node in branch.nodes]
        assert sorted(found) == list(range(len(tree.nodes)))
        assert all(
            node.parent < 0 or found.index(node.parent) < found.index(node.number)
            for node in tree.nodes
        )


def test_json_adds_up() -> None:
    """What is stored afterwards are the layers that are kept, and the new ones."""
    plan = _plan()
    document = to_json(plan)
    kept = {node["diff_id"]: node["bytes"] for node in document["tree"] if node["kept"]}
    new = sum(one["bytes_after"] for one in document["new_layers"])
    assert sum(kept.values()) + new == document["stored"]["after"]
    assert document["bytes"]["shared"] + document["bytes"]["unique"] == document["bytes"]["stored"]
    assert [one["squash"] for one in document["images"]] == [list(i.layers) for i in plan.images]
    json.dumps(document)


def test_page_draws_the_tree_before_and_after() -> None:
    """A box a layer, as wide as its bytes; the same plan gives the same page."""
    plan = _plan()
    text = page(plan)
    assert text == page(_plan())
    before, after = re.findall(r'<svg class="fleet".*?</svg>', text, re.DOTALL)
    assert len(re.findall(r'<rect class="(?:kept|gone)"', before)) == len(plan.catalogue.nodes)
    assert len(re.findall(r'<rect class="new"', after)) == len(plan.made)
    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', before)]
    sizes = [node.size for node in plan.catalogue.nodes]
    assert abs(sum(widths) / max(widths) - sum(sizes) / max(sizes)) < 0.01


def test_page_escapes_what_images_are_called() -> None:
    """Names and commands are text, and what turns text around is shown by its code."""
    text = page(_plan(_HOSTILE + "{}"))
    assert "<script" not in text
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_what_has_no_room_is_counted() -> None:
    """A thousand layers beside a large one are too small to be drawn."""
    images = [FleetImage("big", (Digest.of(b"big"),), (1 << 30,))]
    images += [FleetImage(f"{n}", (Digest.of(b"%d" % n),), (1024,)) for n in range(1000)]
    catalogue = Catalogue.of(images)
    text = page(choose_plan(catalogue, lambda number: [catalogue.nodes[number].size]))
    assert "1000 layers too small to be drawn" in text
    assert "501 more images: --json lists all" in text
    assert len(text) < 400_000
