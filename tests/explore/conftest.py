"""Images to explore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines.fixtures import started
from tests.engines.tools import Tool
from tests.support.demo import put_demo


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The demo's image, in the working folder."""
    put_demo(tmp_path / "demo.tar")
    monkeypatch.chdir(tmp_path)
    return "demo.tar"


@pytest.fixture(scope="session")
def tmux() -> Iterator[Tool]:
    """A terminal that can be looked at."""
    yield from started(_tmux(), "tmux")


@contextmanager
def _tmux() -> Iterator[Tool]:
    yield Tool.find("tmux")
