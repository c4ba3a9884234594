"""A browser, and pages to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lamella import api
from lamella.analysis.model import Analysis
from lamella.demo import write_demo_image
from lamella.report.html import render
from tests.browser.chromium import Browser, chromium
from tests.browser.samples import hostile, large
from tests.engines.fixtures import started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    yield from started(chromium(), "chromium")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The demo's image, analyzed."""
    image = tmp_path_factory.mktemp("demo") / "demo.tar"
    write_demo_image(image)
    return api.analyze(str(image))


@pytest.fixture(scope="session")
def pages(demo: Analysis, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages by name."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, analysis in (("demo", demo), ("hostile", hostile()), ("large", large())):
        found[name] = folder / f"{name}.html"
        found[name].write_text(render(analysis), encoding="utf-8")
    return found


@pytest.fixture(params=["demo", "hostile", "large"])
def page(request: pytest.FixtureRequest, pages: dict[str, Path]) -> Path:
    """Each of them in turn."""
    return pages[request.param]
