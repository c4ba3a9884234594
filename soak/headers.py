"""Odd tars, read by lamella and by Go's ``archive/tar``: see docs/tar.md."""

from __future__ import annotations

import tempfile
from pathlib import Path

from soak.harness import Harness, Round
from tests.differential.go import build, running
from tests.differential.headers import odd_tar
from tests.differential.reading import difference
from tests.engines.tools import find_go

__all__ = ["HARNESS"]

_TARS = 1000
_READER = Path(__file__).resolve().parent.parent / "tests" / "differential" / "reader.go"


def _run(seed: int, folder: Path) -> Round:
    """Read so many tars with both; keep those that are read differently."""
    found = Round(_TARS, [], [])
    with (
        tempfile.TemporaryDirectory() as work,
        running(build(find_go(), _READER, Path(work))) as program,
    ):
        for number in range(seed * _TARS, (seed + 1) * _TARS):
            raw = odd_tar(number)
            told = difference(raw, program.ask(raw))
            if told is not None:
                kept = folder / f"headers-{number}.tar"
                kept.write_bytes(raw)
                found.findings.append(f"{kept.name}: {told[:1000]}")
                found.kept.append(kept)
    return found


HARNESS = Harness("headers", "tars", _run)
