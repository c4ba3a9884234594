"""What a merged layer says otherwise than its layers: the stage between difference and plan."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass

import pytest

from lamella.errors import UsageError
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.causes import Dropped
from lamella.merge.edits import Edits
from lamella.merge.patterns import PathPatterns
from lamella.operations.merge_layers import Prepared, prepare
from lamella.progress import SILENT
from lamella.selection import Selection
from lamella.tar.writer import with_time
from tests.support.images import image
from tests.support.squashing import stream_of
from tests.support.tars import entry, folder, layer, link, symlink, whiteout

SECOND = 10**9

LAYERS = (
    layer(folder("d"), entry("d/base", b"1", mtime=5 * SECOND)),
    layer(
        entry("d/base", b"2", mtime=5 * SECOND),
        entry("d/new", b"3", mtime=9 * SECOND),
        folder("e"),
        "e/one",
    ),
    layer(entry("old", b"4", mtime=SECOND), link("d/other", "d/new"), "kept"),
)


def leaving_out(*patterns: str) -> Edits:
    """Return edits that leave out what patterns mean."""
    return Edits(leave_out=PathPatterns.parse(patterns))


@dataclass
class Edited:
    """Tars of the merged layers."""

    tars: list[bytes]
    plans: list[Prepared]

    def names(self, number: int = 0) -> list[str]:
        """Name the entries of one."""
        with tarfile.open(fileobj=io.BytesIO(self.tars[number])) as tar:
            return tar.getnames()


def edited(source: Image, *ranges: range, edits: Edits) -> Edited:
    """Squash with edits."""
    with LayerOpener(Spool()) as opener:
        ready = prepare(source, Selection(ranges), opener, SILENT, edits)
        return Edited([stream_of(ready.merged(positions)) for positions in ranges], [ready])


def test_what_the_base_has_too_is_deleted() -> None:
    """What it has not is not said at all; what is in a directory goes with it."""
    merged = edited(image(*LAYERS), range(1, 3), edits=leaving_out("d/base", "e"))
    assert merged.names() == ["d", "d/.wh.base", "d/new", "old", "d/other", "kept"]


def test_a_file_lives_on_by_its_other_names() -> None:
    """Where its first name is left out."""
    merged = edited(image(*LAYERS), range(1, 3), edits=leaving_out("d/new"))
    assert "d/new" not in merged.names()
    with tarfile.open(fileobj=io.BytesIO(merged.tars[0])) as tar:
        file = tar.extractfile("d/other")
        assert file is not None
        assert file.read() == b"3"


def test_what_one_range_leaves_out_is_not_there_for_the_next() -> None:
    """So the next need not delete it."""
    layers = (*LAYERS, layer(whiteout("d/new"), "more"), layer("last"))
    ranges = range(1, 3), range(3, 5)
    left = edited(image(*layers), *ranges, edits=leaving_out("d/new"))
    assert left.names(1) == ["more", "last"]
    stays = edited(image(*layers), *ranges, edits=Edits())
    assert stays.names(1) == ["more", "last", "d", "d/.wh.new"]


def test_headers_are_changed_and_links_follow() -> None:
    """What need not be changed is copied as it is."""
    merged = edited(image(*LAYERS), range(1, 3), edits=Edits(latest=5 * SECOND))
    with tarfile.open(fileobj=io.BytesIO(merged.tars[0])) as tar:
        times = {member.name: member.mtime for member in tar}
    assert (times["d/new"], times["d/other"], times["d/base"], times["old"]) == (5, 5, 5, 1)
    assert LAYERS[2][:1024] in merged.tars[0], "old is as it was"


def test_nothing_but_the_time_is_written_again() -> None:
    """Whatever else a header says, and however, stays: here an owner's name and GNU's magic."""
    odd = entry("new", b"1", mtime=9 * SECOND, uname=b"builder", format="gnu")
    merged = edited(image(layer("x"), layer(odd)), range(2), edits=Edits(latest=5 * SECOND)).tars[0]
    at = merged.index(b"new\0")
    before, after = odd.encode()[:512], merged[at : at + 512]
    changed = [i for i in range(512) if before[i] != after[i]]
    assert changed
    assert all(136 <= i < 148 or 148 <= i < 156 for i in changed), "the time and the checksum"


def test_limited_times_are_read_in_any_parts() -> None:
    """Headers of which a part is asked for are limited as a whole."""
    made = [entry(f"f{n}", bytes(n * 300), mtime=(n % 3 + 4) * SECOND) for n in range(8)]
    with LayerOpener(Spool()) as opener:
        source = image(layer(*made[:4]), layer(*made[4:]))
        edits = Edits(latest=5 * SECOND)
        tar = prepare(source, Selection((range(2),)), opener, SILENT, edits).merged(range(2))
        late = [bytes(with_time(one.encode()[:512], 5)) for one in made]
        whole = tar.read_at(0, tar.size)
        want = b"".join(
            (late[n] if n % 3 == 2 else one.encode()[:512]) + one.encode()[512:]
            for n, one in enumerate(made)
        )
        assert whole == want + bytes(1024)
        for step in (1, 7, 149, 513, 5000):
            parts = [tar.read_at(at, step) for at in range(0, tar.size, step)]
            assert b"".join(parts) == whole


def test_a_directory_stays_for_what_is_brought_back() -> None:
    """With its own attributes; the rest of it is gone."""
    merged = edited(image(*LAYERS), range(3), edits=leaving_out("d", "!d/new"))
    assert merged.names() == ["d", "d/new", "e", "e/one", "old", "kept"]


def test_what_only_the_base_has_is_deleted() -> None:
    """And it is told that its bytes are there still, in which layer."""
    merged = edited(image(*LAYERS, layer("last")), range(2, 4), edits=leaving_out("d/base"))
    assert "d/.wh.base" in merged.names()
    assert merged.plans[0].edited.shipped == {0: (b"d/base",), 1: (b"d/base",)}


def test_a_layer_alone_is_written_again_only_where_it_must_be() -> None:
    """One that has nothing to leave out stays as it is."""
    with LayerOpener(Spool()) as opener:
        ranges = tuple(range(p, p + 1) for p in range(3))
        chosen = Selection(ranges, alone=True)
        ready = prepare(image(*LAYERS), chosen, opener, SILENT, leaving_out("d/other"))
        assert list(ready.plans) == [range(2, 3)]


def test_a_layer_above_that_brings_it_back_is_an_error() -> None:
    """Before anything is written: the image would not be what was asked for."""
    layers = (*LAYERS, layer(entry("d/new", b"again")))
    with pytest.raises(UsageError, match=r"layer 4 has /d/new .*`layers` 2-4"):
        edited(image(*layers), range(1, 3), edits=leaving_out("d/new"))


def test_patterns_without_a_path_are_told() -> None:
    """They may be misspelt; one that a kept layer's file has is none of them."""
    merged = edited(image(*LAYERS), range(1, 3), edits=leaving_out("nowhere", "d/base", "*/*x"))
    assert merged.plans[0].edited.unused == ("nowhere", "*/*x")


def test_a_pattern_of_what_is_dropped_anyway_has_a_path() -> None:
    """A file that is deleted or lies in a deleted directory, and a file's first name."""
    layers = (
        layer("f/deep/one", "two", entry("three", b"3"), link("other", "three"), "stays"),
        layer(whiteout("f"), whiteout("two"), whiteout("three")),
    )
    asked = ("f/deep", "**/one", "two", "three", "four")
    merged = edited(image(*layers), range(2), edits=leaving_out(*asked))
    assert merged.plans[0].edited.unused == ("four",)
    assert merged.names() == ["other", "stays"]


def test_bytes_left_out_have_a_cause_of_their_own() -> None:
    """Neither deleted nor overwritten: excluded."""
    merged = edited(image(*LAYERS), range(1, 3), edits=leaving_out("e", "d/other"))
    assert merged.plans[0].dropped == Dropped(excluded=3 * 512)


def test_a_layer_above_may_bring_it_back_through_a_symlink() -> None:
    """Which it made itself: engines follow that one, so the path is not what the entry says."""
    layers = (*LAYERS, layer(symlink("s", "d"), entry("s/new", b"again")))
    with pytest.raises(UsageError, match=r"layer 4 has /d/new .*`layers` 2-4"):
        edited(image(*layers), range(1, 3), edits=leaving_out("d/new"))


def test_a_time_that_is_early_enough_stays_where_a_file_gets_its_first_name_back() -> None:
    """Its header is written again for that; no time becomes later by being limited."""
    layers = (
        layer(entry("a", b"1", mtime=SECOND), link("b", "a", mtime=SECOND)),
        layer(whiteout("a")),
        layer(link("a", "b", mtime=SECOND), entry("z", b"2", mtime=9 * SECOND)),
        layer(whiteout("b")),
    )
    merged = edited(image(*layers), range(4), edits=Edits(latest=5 * SECOND))
    with tarfile.open(fileobj=io.BytesIO(merged.tars[0])) as tar:
        assert {one.name: one.mtime for one in tar} == {"a": 1, "z": 5}
