"""What an analysis refuses, for its tables would outgrow all use, and what it says of history."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from lamella import api
from lamella.errors import Unsupported
from lamella.limits import LAYERS
from tests.support.images import docker_archive, made_by
from tests.support.progress import Recorder
from tests.support.tars import layer


def test_more_layers_than_a_table_has_rows_for_are_refused(tmp_path: Path) -> None:
    """The table of all ranges grows with the square of the layers; the error tells the limit.

    The layers are not looked at: these are no tars.
    """
    path = tmp_path / "many.tar"
    path.write_bytes(docker_archive(*[b"no tar"] * (LAYERS + 1)))
    with pytest.raises(Unsupported, match=f"{LAYERS + 1} layers.* at most {LAYERS}"):
        api.analyze(str(path))


def test_history_that_does_not_fit_is_told(tmp_path: Path) -> None:
    """An analysis matches it from the top, and says so, as a squash does."""
    path = tmp_path / "short.tar"
    path.write_bytes(docker_archive(layer("a"), layer("b"), history=made_by("top")))
    notes = Recorder()
    api.analyze(str(path), env=api.Environment(progress=notes))
    assert any("its history lists 1 layers, it has 2" in note for note in notes.notes)


def test_table_of_all_ranges_takes_a_few_bytes_for_each(tmp_path: Path) -> None:
    """There are half a million for a thousand layers."""
    count, path = 150, tmp_path / "many.tar"
    path.write_bytes(docker_archive(*[layer(f"{number}") for number in range(count)]))
    api.analyze(str(path))  # what is remembered from now on is not of the table
    tracemalloc.start()
    try:
        found = api.analyze(str(path))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.savings) == count * (count + 1) // 2
    assert held < 100 * len(found.savings)
