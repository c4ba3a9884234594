"""The whole story in memory: prepare, write, and what is found out on the way."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import pytest

from lamella.errors import DigestMismatch, MalformedTar
from lamella.image import Image
from lamella.layer.blob import Bytes, Layer
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.changeset import read_changeset
from lamella.merge.overlay import Tree
from lamella.merge.plan import make_plan
from lamella.operations.merge_layers import prepare, write
from lamella.rewrite import Wording
from lamella.selection import Selection
from lamella.spec.digest import Digest
from tests.properties.reference import flatten
from tests.support.images import image, made_by
from tests.support.progress import Recorder
from tests.support.squashing import MemorySink, merge, plan_of, prepared, squash
from tests.support.tars import (
    Entry,
    Raw,
    Spec,
    block,
    entry,
    folder,
    layer,
    link,
    reseal,
    symlink,
    whiteout,
)
from tests.tar.virtual import Virtual

TARS = [
    layer("d/", ("d/a", b"1" * 3000), ("d/b", b"2")),
    layer(("d/a", b"3"), ("c", b"4" * 5000)),
    layer(whiteout("d/b"), ("e", b"5")),
    layer(whiteout("c"), ("f", b"6")),
]


# -- what is known before


def test_sizes_and_causes_are_known_before() -> None:
    """How much goes, and why, without a byte written."""
    with prepared(image(*TARS), range(1, 4)) as ready:
        (plan,) = ready.plans.values()
        assert ready.bytes_before == sum(map(len, TARS[1:]))
        assert ready.bytes_after == plan.size == len(merge(*TARS, above=1))
        assert [w.path for w in plan.whiteouts] == [b"d/b"]
        assert ready.dropped.deleted == 512 + 5120
        assert ready.dropped.total == ready.dropped.deleted


@pytest.mark.parametrize(
    ("first", "then", "cause"),
    [
        (entry("x", b"1" * 600), whiteout("x"), "deleted"),
        (entry("x", b"1" * 600), entry("x", b"2" * 600), "overwritten"),
        (entry("x", b"1" * 600), entry("x", b"2"), "overwritten"),
        (entry("x", b"1" * 600), entry("x", b"1" * 600), "duplicate"),
        (entry("x", b"1" * 600), entry("x", b"1" * 600, mode=0o600), "metadata_only"),
        (entry("x", b"1" * 600), symlink("x", "y"), "overwritten"),
        (folder("x"), folder("x"), "duplicate"),
        (folder("x"), folder("x", mtime=0), "metadata_only"),
    ],
)
def test_causes(first: Entry, then: Entry, cause: str) -> None:
    """Deleted, overwritten, said again with other attributes, or just said again."""
    with prepared(image(layer(first), layer(then)), range(2)) as ready:
        assert getattr(ready.dropped, cause) == len(first.encode())
        assert ready.dropped.total == len(first.encode())


def test_all_in_a_deleted_directory_is_dropped() -> None:
    """Each entry in it counts as deleted."""
    first = layer("d/", ("d/a", b"1"), "d/e/", ("d/e/b", b"2"))
    with prepared(image(first, layer(whiteout("d"))), range(2)) as ready:
        assert ready.dropped.deleted == len(first) - 1024


def test_file_with_a_name_left_is_not_dropped() -> None:
    """The content goes on under another name."""
    first = layer(("a", b"1"), link("b", "a"))
    with prepared(image(first, layer(whiteout("a"))), range(2)) as ready:
        assert ready.dropped.total == 0


def test_bytes_add_up() -> None:
    """What is kept and what is dropped is what there was, but for ends and whiteouts."""
    tars = layer(("a", b"1"), "d/", "d/b"), layer(("a", b"2"), "c"), layer(whiteout("c"), "e")
    with prepared(image(*tars), range(3)) as ready:
        ends_and_whiteouts = 2 * 1024 + 512
        total = ready.bytes_after + ready.dropped.total + ends_and_whiteouts
        assert total == ready.bytes_before


def test_nothing_to_squash() -> None:
    """One layer is squashed already: the image stays as it is."""
    source = image(TARS[0])
    written, sink = squash(source, range(1))
    assert written.config is source.config
    assert sink.kept == list(source.layers)


def test_layers_above_the_ranges_are_not_read() -> None:
    """Only what is squashed and what lies below it is looked at."""
    source = image(*TARS[:2], b"this is no tar")
    with prepared(source, range(2)) as ready:
        assert set(ready.tars) == {0, 1}


def test_progress_is_told() -> None:
    """Each phase with its size, which is then reached."""
    source, recorder = image(*TARS, history=made_by(*"abcd")), Recorder()
    with LayerOpener(Spool()) as opener:
        ready = prepare(source, Selection((range(2, 4),)), opener, recorder)
        write(ready, MemorySink(opener), Wording(), recorder)
    names = recorder.phases
    assert names == [
        *("read layers", "keep layer 1", "keep layer 2", "write the merged layer", "verify layers"),
    ]
    assert recorder.totals[names[3]] == ready.bytes_after


# -- what is found out


def wrong(position: int, tar: bytes) -> Image:
    """Return the image with one layer that isn't what its diff_id says."""
    source = image(*TARS)
    bad = Layer(source.layers[position].diff_id, Bytes(tar), f"layer {position + 1}")
    layers = (*source.layers[:position], bad, *source.layers[position + 1 :])
    return Image("test", source.config, layers)


def flipped(tar: bytes, at: int) -> bytes:
    """Change one bit."""
    return tar[:at] + bytes([tar[at] ^ 1]) + tar[at + 1 :]


CHOICES: list[Sequence[range]] = [[range(4)], [range(2, 4)], [range(1, 3)], [range(2), range(2, 4)]]


@pytest.mark.parametrize("ranges", CHOICES)
@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("at", ["header", "content", "padding", "behind the end"])
def test_every_corrupt_layer_is_found_out(ranges: Sequence[range], position: int, at: str) -> None:
    """Squashed, below, between or above: one wrong bit in any layer is a digest mismatch."""
    tar = TARS[position]
    if at == "behind the end":
        bad = tar + b"\0"
    elif at == "content":
        last = max(i for i in range(len(tar)) if tar[i : i + 1] in b"123456" and i % 512 == 0)
        bad = flipped(tar, last)
    elif at == "padding":
        bad = flipped(tar, len(tar) - 1025)
    else:
        bad = flipped(tar, 2)
    with pytest.raises(DigestMismatch, match=f"layer {position + 1}"):
        squash(wrong(position, bad), *ranges)


def test_damaged_tar_of_the_right_digest_is_named() -> None:
    """If the digest holds, it is the tar that is at fault, and it is said which and where."""
    source = image(TARS[0], flipped(TARS[1], 2), TARS[2], name="app")
    with pytest.raises(MalformedTar, match=r"app: layer 2: wrong header checksum \(at byte 0\)"):
        squash(source)


@pytest.mark.parametrize("tars", [[layer(link("b", "a")), layer()], [layer(".wh."), layer()]])
def test_senseless_entries_are_named_with_their_layer(tars: list[bytes]) -> None:
    """Also those that only the layer rules refuse."""
    with pytest.raises(MalformedTar, match=r"^app: layer 1: "):
        squash(image(*tars, name="app"))


def test_senseless_number_is_named_with_its_layer() -> None:
    """Also where a header is only read in full when it has to be written anew."""
    raw = bytearray(block(b"/a", b"0"))
    raw[108:112] = b"none"
    with pytest.raises(MalformedTar, match=r"layer 2: .*uid"):
        squash(image(layer("x"), layer(Raw(reseal(bytes(raw)))), name="app"))


def test_history_that_does_not_fit_is_told() -> None:
    """It is no reason to refuse an image that engines take; a line says what is made of it."""
    recorder = Recorder()
    with LayerOpener(Spool()) as opener:
        prepare(image(*TARS, history=made_by("a")), Selection((range(4),)), opener, recorder)
    assert [line.partition(";")[0] for line in recorder.notes] == [
        "test: its history lists 1 layers, it has 4"
    ]


def test_compressed_layers_are_squashed_alike() -> None:
    """However a layer is stored, its tar is what counts."""
    packed = {i: gzip.compress(tar) for i, tar in enumerate(TARS) if i % 2}
    plain, mixed = image(*TARS), image(*TARS, stored=packed)
    assert squash(plain)[1].tars == squash(mixed)[1].tars
    assert squash(mixed, range(1, 3))[1].tars[1] == merge(*TARS[:3], above=1)


# -- cost


def test_big_files_are_planned_without_their_content() -> None:
    """8 GiB in a layer cost a few header blocks to plan, and the size is exact."""
    size = (8 << 30) + 3
    head = entry("big", format="pax").headers(size)
    source = Virtual([head, size, bytes(-size % 512), bytes(1024)])
    lower = read_changeset(source, 0)
    tree = Tree()
    tree.apply(lower)
    tree.apply(read_changeset(Bytes(layer("small")), 1))
    plan = make_plan(tree, {0: lower, 1: lower})
    assert plan.size == len(head) + size + (-size % 512) + 512 + 1024
    assert source.read < 10_000


def steps(tars: Sequence[bytes]) -> int:
    """Count the lines that planning a squash runs through: time, without a clock."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:  # noqa: ANN401 - itself
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        plan_of(*tars, above=1)
    finally:
        sys.settrace(before)
    return count


def crowd(count: int, shape: str) -> list[bytes]:
    """Make an image of so many files of a kind, all changed or deleted on the way."""
    names = [f"d{n % 7}/e{n % 91}/f{n}" for n in range(count)]
    folders: list[Spec] = [f"d{a}/" for a in range(7)]
    folders += [f"d{a}/e{b}/" for a in range(7) for b in range(91)]
    base = [*folders, *(names[: count // 2])]
    first: list[Spec] = [*folders, *names[count // 2 :]]
    second: list[Spec]
    if shape == "whiteouts":
        second = [whiteout(name) for name in names[::2]]
    elif shape == "symlinks":
        second = [symlink(f"{name}.s", f"../{name}") for name in names]
        second += [symlink("s", "d1/e1"), *(f"s/new{n}" for n in range(count))]
    elif shape == "hard links":
        first += [link(f"{name}.h", name) for name in names]
        second = [whiteout(name) for name in names[count // 2 :]]
    elif shape == "one directory":
        second = [symlink(f"flat{n}", f"flat{n + 1}") for n in range(count)]
        second += [whiteout(f"gone{n}") for n in range(count)]
    else:
        second = [Entry(name.encode(), content=b"2") for name in names for _ in range(2)]
    return [layer(*base), layer(*first), layer(*second)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "count"),
    [
        *(("whiteouts", 8_000), ("symlinks", 8_000), ("hard links", 6_000)),
        *(("one directory", 6_000), ("changes", 6_000)),
    ],
)
def test_planning_is_linear(shape: str, count: int) -> None:
    """Four times the files take about four times the steps."""
    assert steps(crowd(count, shape)) < 5 * steps(crowd(count // 4, shape))


def test_quadratic_planning_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count sees loops over all names, wherever they are."""
    delete = Tree._delete  # noqa: SLF001 - made slow on purpose

    def slow(self: Tree, path: bytes) -> None:
        assert not [name for name in self.root.kids if name == b"none"]
        delete(self, path)

    monkeypatch.setattr(Tree, "_delete", slow)

    def tars(count: int) -> list[bytes]:
        names = [f"f{n}" for n in range(count)]
        return [layer(), layer(*names), layer(*map(whiteout, names))]

    assert steps(tars(800)) > 5 * steps(tars(200))


def test_result_is_what_a_container_sees() -> None:
    """The example of this file, from end to end."""
    _, sink = squash(image(*TARS), range(1, 3))
    assert flatten(sink.tars) == flatten(TARS)
    assert isinstance(Digest.of(sink.tars[1]), str)
