"""Tars as lamella reads them, beside Go's ``archive/tar``, which all engines use.

The differences that are meant are in docs/tar.md; `reading.expected` applies them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.differential.go import build, running
from tests.differential.headers import odd_tar
from tests.differential.reading import difference
from tests.engines.tools import Tool
from tests.support.machine import share

TARS = int(os.environ.get("LAMELLA_TARS", share(10_000, least=500)))
"""So many, of three and a half headers each; `make soak ONLY=headers` makes more."""


@pytest.mark.engine
def test_tars_are_read_as_go_reads_them(go: Tool, tmp_path: Path) -> None:
    """Of many tars, right and wrong, each is refused by both or read alike by both."""
    binary = build(go, Path(__file__).with_name("reader.go"), tmp_path)
    read = 0
    with running(binary) as program:
        for seed in range(TARS):
            raw = odd_tar(seed)
            answer = program.ask(raw)
            assert difference(raw, answer) is None, seed
            read += not answer["error"]
    assert TARS / 4 < read < TARS
