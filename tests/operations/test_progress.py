"""Progress of layers that stay: they are counted while they are copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lamella
from lamella.transport.environment import Environment
from tests.odd.answers import Oddly
from tests.odd.registry import registry_in_memory
from tests.operations.test_conversion import archive, layout
from tests.support.progress import Recorder


@contextmanager
def outputs(form: str, folder: Path) -> Iterator[str]:
    """Name an output of a form."""
    if form != "docker":
        yield f"{form}:{folder}/new"
        return
    with registry_in_memory(Oddly(0)) as registry:
        yield f"docker://{registry.host}/app:slim"


@pytest.mark.parametrize("form", ["docker-archive", "oci", "oci-archive", "docker"])
@pytest.mark.parametrize("kind", ["none", "gzip"])
@pytest.mark.parametrize("make", [layout, archive])
def test_layers_that_stay_are_counted(make: object, kind: str, form: str, tmp_path: Path) -> None:
    """To the size that was told, and no further; what is only sent is counted elsewhere."""
    source, told = make(tmp_path / "source", [kind, kind]), Recorder()  # type: ignore[operator]
    with outputs(form, tmp_path) as output:
        lamella.squash(source, last=2, output=output, env=Environment(progress=told))
    for phase in ("keep layer 1", "keep layer 2"):
        in_background = form == "docker" and make is layout
        assert told.bytes.get(phase, 0) == (0 if in_background else told.totals[phase])


@pytest.mark.parametrize("form", ["docker-archive", "oci"])
def test_layers_from_a_registry_are_counted_once(form: str, tmp_path: Path) -> None:
    """As they come, which may be before they are copied."""
    told = Recorder()
    with registry_in_memory(Oddly(0)) as registry:
        name = f"docker://{registry.host}/app:1"
        lamella.squash(layout(tmp_path / "source", ["gzip", "gzip"]), last=1, output=name)
        output = f"{form}:{tmp_path}/new"
        lamella.squash(name, last=2, output=output, env=Environment(progress=told))
    for phase in ("keep layer 1", "keep layer 2"):
        assert told.bytes.get(phase, 0) in {0, told.totals[phase]}
    moved = sum(told.bytes.values())
    assert moved >= sum(told.totals[f"keep layer {number}"] or 0 for number in (1, 2))
