"""Spliced gzip streams, read by the library that engines read layers with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.differential.go import GoProgram, build, running
from tests.engines.tools import Tool
from tests.support.examples import examples
from tests.support.splices import pieces, sources, spliced

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def gunzip(go: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoProgram]:
    """The program in Go."""
    source = Path(__file__).with_name("gunzip.go")
    with running(build(go, source, tmp_path_factory.mktemp("go"))) as program:
        yield program


@examples(30)
@given(data=st.data())
def test_go_reads_them(gunzip: GoProgram, data: st.DataObject) -> None:
    """To the last byte, as one member."""
    found = data.draw(pieces(data.draw(st.lists(sources(), min_size=1, max_size=2))))
    packed, _ = spliced(found, 2, 1 << 18)
    digest = hashlib.sha256(b"".join(piece.plain for piece in found)).hexdigest()
    assert gunzip.ask(packed) == {"digest": digest, "left": 0, "error": ""}
