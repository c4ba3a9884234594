"""Every operation against an engine of which any answer may be odd."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import lamella
from lamella import api
from lamella.transport.engine.options import EngineOptions
from soak.harness import Harness, Round
from tests.odd.answers import Oddly
from tests.odd.engine import engine_in_memory
from tests.odd.judging import fault_of
from tests.support.images import docker_archive, image
from tests.support.tars import layer, whiteout

__all__ = ["HARNESS"]

_CALLS = 40
_TARS = [
    layer("d/", ("d/a", b"1" * 3000)),
    layer(("b", b"2")),
    layer(whiteout("d/a"), ("c", b"3")),
]


def _run(seed: int, folder: Path) -> Round:
    """Do so many things while some answers are odd."""
    del folder
    found, chance = Round(_CALLS, [], []), random.Random(seed)
    archive, config = docker_archive(*_TARS, tags=["app:1"]), image(*_TARS).config.raw
    for number in range(_CALLS):
        oddly = Oddly(seed * _CALLS + number)
        with (
            tempfile.TemporaryDirectory() as work,
            engine_in_memory(oddly, archive, config, Path(work)) as address,
        ):
            Path(work, "app.tar").write_bytes(archive)
            name, call = chance.choice(_operations(address, Path(work)))
            oddly.chance = chance.choice([0.1, 0.3, 1.0])
            fault = fault_of(call)
        if fault:
            told = ", ".join(oddly.told[:5])
            found.findings.append(f"seed {seed}, call {number}, {name}: {fault}; {told}"[:1500])
    return found


def _operations(address: str, work: Path) -> list[tuple[str, Callable[[], object]]]:
    options = EngineOptions({"DOCKER_HOST": address})
    env = lamella.Environment(tmp_dir=str(work), engine=options)
    layers, output = ["2-3"], f"docker-archive:{work}/new.tar"

    def listed() -> None:
        with api.open_layers("app:1", dead=True, tags=True, env=env):
            pass

    return [
        ("to a file", lambda: lamella.squash("app:1", layers=layers, output=output, env=env)),
        ("in place", lambda: lamella.squash("app:1", layers=layers, tag=["app:2"], env=env)),
        (
            "from a file",
            lambda: lamella.squash(f"{work}/app.tar", layers=layers, output="app:3", env=env),
        ),
        ("layers", listed),
        ("analyze", lambda: lamella.analyze("app:1", env=env)),
        ("verify", lambda: lamella.verify("app:1", f"{work}/app.tar", env=env)),
        ("names", lambda: api.image_names(env)),
    ]


HARNESS = Harness("answers_engine", "calls", _run, processes=2)
