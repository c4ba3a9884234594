"""Images to explore."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamella.demo import write_demo_image


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The demo's image, in the working folder."""
    write_demo_image(tmp_path / "demo.tar")
    monkeypatch.chdir(tmp_path)
    return "demo.tar"
