"""Why bytes are gone, told from layers in files, against a slow reading of the same entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.layer.blob import CHUNK, Bytes, FileRange
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.merge.causes import Cause, Dropped, causes_of, count_dropped
from lamella.merge.changeset import read_changeset
from lamella.tar.entry import Member
from lamella.transport.engine.store.files_below import FilesBelow
from lamella.transport.engine.store.tar_split import read_split
from tests.support.examples import examples
from tests.support.splits import take_apart
from tests.support.squashing import plan_of
from tests.support.tars import Entry, entry, layer

_SIZES = (0, 1, 511, 512, 1024, 1025, 5000, (1 << 16) - 1, (1 << 16) + 1, CHUNK, 2 * CHUNK + 9)
_SAME, _OWNED, _FIRST, _PROBED, _KEPT, _LAST = "same", "owned", 0, 1024, 1 << 16, -1
_CHANGES: tuple[str | int, ...] = (_SAME, _OWNED, _FIRST, _PROBED, _KEPT, _LAST)
"""What a layer above changes: nothing, the owner, or the byte at an offset, if there is one."""


def _pair(number: int, size: int, change: str | int) -> tuple[Entry, Entry]:
    """A file, and what a layer above puts over it."""
    content = bytearray(number.to_bytes(2, "big") * (size // 2 + 1))[:size]
    below = entry(f"d/{number}", bytes(content))
    if isinstance(change, int) and size > change and size:
        content[change] ^= 1
    return below, entry(f"d/{number}", bytes(content), uid=int(change == _OWNED))


def _slowly(below: Entry, above: Entry) -> str:
    if below.content != above.content:
        return "overwritten"
    return "duplicate" if below.encode() == above.encode() else "metadata_only"


def _entries(tars: Sequence[LayerTar]) -> list[list[Member]]:
    return [read_changeset(tar, position).entries for position, tar in enumerate(tars)]


def _causes(tars: Sequence[LayerTar]) -> list[Cause]:
    below, above = _entries(tars)
    by = {member.path: member for member in above}
    dropped = [(member, by[member.path]) for member in below]
    return causes_of(dropped, dict(enumerate(tars)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where layers are written to."""
    return tmp_path_factory.mktemp("layers")


def _in_files(folder: Path, tars: Sequence[bytes], stack: ExitStack) -> Iterator[FileRange]:
    for number, tar in enumerate(tars):
        path = folder / str(number)
        path.write_bytes(b"before" + tar + b"behind")
        whole = FileRange.whole(stack.enter_context(path.open("rb")))
        yield whole.part(6, len(tar))


@examples(80)
@given(
    st.lists(
        st.tuples(st.sampled_from(_SIZES), st.sampled_from(_CHANGES)), min_size=1, max_size=12
    ),
    st.randoms(use_true_random=False),
)
def test_causes_are_those_of_the_whole_content(
    folder: Path, drawn: list[tuple[int, str | int]], random: Random
) -> None:
    """Whatever lies beside a file, in whatever order, read ahead or not: each byte counts."""
    pairs = [_pair(number, *what) for number, what in enumerate(drawn)]
    wanted = [_slowly(*pair) for pair in pairs]
    above = [entry for _, entry in pairs]
    if random.random() < 0.5:
        random.shuffle(above)
    tars = [layer(*(entry for entry, _ in pairs)), layer(*above)]
    assert _causes([Bytes(tar) for tar in tars]) == wanted
    with ExitStack() as stack:
        assert _causes([*_in_files(folder, tars, stack)]) == wanted


def test_checksums_tell_it_without_a_file(tmp_path: Path) -> None:
    """What an engine noted of layers that it took apart is enough: no content has to be there."""
    drawn = enumerate(product(_SIZES, _CHANGES))
    pairs = [_pair(number, size, change) for number, (size, change) in drawn]
    places = [
        take_apart(layer(*entries), tmp_path / str(number), with_content=False)
        for number, entries in enumerate(zip(*pairs, strict=True))
    ]
    tars = [read_split(place, Spool(), FilesBelow()) for place in places]
    assert _causes(tars) == [_slowly(*pair) for pair in pairs]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read of a file brought."""
    lengths: list[int] = []
    read_at = FileRange.read_at

    def counting(self: FileRange, offset: int, length: int) -> bytes:
        found = read_at(self, offset, length)
        lengths.append(len(found))
        return found

    monkeypatch.setattr(FileRange, "read_at", counting)
    return lengths


def _compare(folder: Path, pairs: Sequence[tuple[Entry, Entry]], read: list[int]) -> set[str]:
    tars = [layer(*entries) for entries in zip(*pairs, strict=True)]
    with ExitStack() as stack:
        layers = [*_in_files(folder, tars, stack)]
        below, above = _entries(layers)
        read.clear()
        return {*causes_of([*zip(below, above, strict=True)], dict(enumerate(layers)))}


def test_neighbours_are_read_together(folder: Path, read: list[int]) -> None:
    """`chown -R` over small files: one call brings many of them, and nothing comes twice."""
    pairs = [_pair(number, 3000, _OWNED) for number in range(500)]
    assert _compare(folder, pairs, read) == {"metadata_only"}
    assert len(read) < 150
    assert sum(read) < 1.1 * 2 * 500 * (512 + 3072)


def test_a_squash_reads_neighbours_together(folder: Path, read: list[int]) -> None:
    """The same in the order in which a plan lists what is dropped."""
    pairs = [_pair(number, 3000, _OWNED) for number in range(500)]
    tars = [layer(*entries) for entries in zip(*pairs, strict=True)]
    plan = plan_of(*tars)
    with ExitStack() as stack:
        layers = dict(enumerate(_in_files(folder, tars, stack)))
        read.clear()
        assert count_dropped(plan, layers) == Dropped(metadata_only=500 * (512 + 3072))
    assert len(read) < 150


def test_of_others_the_beginning_is_enough(folder: Path, read: list[int]) -> None:
    """Large files replaced by others of their size: not more than a kilobyte of each."""
    pairs = [_pair(number, 50_000, _FIRST) for number in range(50)]
    assert _compare(folder, pairs, read) == {"overwritten"}
    assert sum(read) <= 2 * 50 * (512 + 1024)
