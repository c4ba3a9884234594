"""Registries with several images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lamella
from tests.odd.answers import Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.images import docker_archive, made_by
from tests.transport.forms import TARS

NAMES = ("team/app:v1", "team/app:v2", "team/app:old", "team/web:v1", "other/db:v1")


def fill(host: str, folder: Path, *names: str) -> None:
    """Put an image of three layers under each name, no two of them alike."""
    path = folder / "source.tar"
    for name in names:
        steps = made_by("FROM scratch", f"RUN make {name}", "RUN add")
        path.write_bytes(docker_archive(*TARS, history=steps))
        lamella.squash(path, last=1, output=f"docker://{host}/{name}")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[MemoryRegistry]:
    """A registry in memory, which answers with two names at a time."""
    with registry_in_memory(Oddly(0)) as found:
        fill(found.host, tmp_path, *NAMES)
        found.page = 2
        yield found
