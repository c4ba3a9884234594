"""A browser, and pages to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lamella import api
from lamella.analysis.compare import Changed, Comparison, Extra
from lamella.analysis.model import Analysis
from lamella.fleet.best import FleetPlan, choose_plan
from lamella.fleet.tree import Catalogue, FleetImage
from lamella.report.compare import page as render_comparison
from lamella.report.diff_page import page as render_diff
from lamella.report.fleet_page import page as render_plan
from lamella.report.html import render
from lamella.spec.digest import Digest
from lamella.tar.entry import path_text
from tests.browser.chromium import Browser, chromium
from tests.browser.samples import HOSTILE, changed, hostile, large
from tests.engines.fixtures import started
from tests.support.demo import put_demo


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    yield from started(chromium(), "chromium")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The demo's image, analyzed."""
    image = tmp_path_factory.mktemp("demo") / "demo.tar"
    put_demo(image)
    return api.analyze(str(image))


@pytest.fixture(scope="session")
def pages(demo: Analysis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages by name."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, analysis in (("demo", demo), ("hostile", hostile()), ("large", large())):
        found[name] = folder / f"{name}.html"
        found[name].write_text(render(analysis), encoding="utf-8")
    found["compare"] = folder / "compare.html"
    found["compare"].write_text(render_comparison(_compared()), encoding="utf-8")
    found["diff"] = folder / "diff.html"
    found["diff"].write_text(render_diff(changed(), ("one", "\u202eother")), encoding="utf-8")
    found["plan"] = folder / "plan.html"
    found["plan"].write_text(render_plan(_planned()), encoding="utf-8")
    return found


def _planned() -> FleetPlan:
    """Images with harmful names, on a base that has one too."""
    images = []
    for number, name in enumerate(HOSTILE):
        text = path_text(name)
        diff_ids = tuple(Digest.of(b"%d" % n) for n in (-1, number, 100 + number))
        images.append(
            FleetImage(text, diff_ids, (1 << 20, 4096, 1 << 19), (512, 0, 0), (text,) * 3)
        )
    catalogue = Catalogue.of(images)
    sizes = [[node.size + 512] * node.depth + [node.size] for node in catalogue.nodes]
    return choose_plan(catalogue, sizes.__getitem__)


def _compared() -> Comparison:
    """Two images that have harmful names in them, and in common."""
    extras = tuple(Extra(b"a/" + name, n % 2 == 0, 999 * n, n) for n, name in enumerate(HOSTILE))
    changed = tuple(Changed(b"b/" + name, 5, 9_999 * n) for n, name in enumerate(HOSTILE))
    one, other = hostile(), replace(large(), reference="\u202eother")
    return Comparison(one, other, 2, extras, extras[:2], 1 << 20, 9, changed, 999, -(1 << 30))


@pytest.fixture(params=["demo", "hostile", "large"])
def page(request: pytest.FixtureRequest, pages: dict[str, Path]) -> Path:
    """Each of them in turn."""
    return pages[request.param]
