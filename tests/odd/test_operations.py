"""Whatever a registry, a token server or an engine answers: a result, or one good line.

`make soak ONLY=answers_registry,answers_engine` tries it for longer.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from soak import answers_engine, answers_registry


@pytest.mark.parametrize("seed", range(2))
def test_registry(seed: int, tmp_path: Path) -> None:
    """Every operation, each while some answers are odd."""
    assert answers_registry.HARNESS.run(seed, tmp_path).findings == []


@pytest.mark.parametrize("seed", range(4))
def test_engine(seed: int, tmp_path: Path) -> None:
    """The same with an engine."""
    assert answers_engine.HARNESS.run(seed, tmp_path).findings == []
