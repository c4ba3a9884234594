"""What each layer has: live, dead by cause, and the rest."""

from __future__ import annotations

import pytest
from hypothesis import given

from lamella.errors import MalformedTar
from lamella.layer.blob import Bytes
from lamella.merge.causes import Dropped, count_dropped
from lamella.merge.changeset import read_changeset
from lamella.merge.overlay import Folder, Link, Tree
from lamella.tar.entry import Member
from tests.analysis.looking import analyze
from tests.properties.corners import CORNERS
from tests.properties.strategies import layers, tars_of
from tests.support.examples import examples
from tests.support.squashing import plan_of
from tests.support.tars import END, Entry, entry, folder, layer, link, opaque, whiteout


def seen_by_layer(tars: list[bytes]) -> list[int]:
    """Count the bytes of entries that the image shows, by a walk over its file system.

    What AUFS put aside is no entry, though links may lead to it; see `LayerFacts.other`.
    """
    tree, aside = Tree(), set[int]()
    changesets = [read_changeset(Bytes(tar), position) for position, tar in enumerate(tars)]
    for changeset in changesets:
        tree.apply(changeset)
        aside.update(map(id, changeset.aside))
    shown: dict[int, Member] = {}
    nodes = [tree.root, *(node for _, node in tree.walk())]
    for node in nodes:
        members = (
            [node.member]
            if isinstance(node, Folder)
            # The content of a file is where its first name is, though that may be gone.
            else [node.inode, node.member]
            if isinstance(node, Link)
            else [node]
        )
        shown |= {id(m): m for m in members if m is not None and id(m) not in aside}
    sums = [0] * len(tars)
    for member in shown.values():
        sums[member.origin] += member.span
    return sums


def check(tars: list[bytes]) -> None:
    """Hold the facts against what the layer rules, a squash and the tars themselves tell."""
    found = analyze(*tars)
    assert [facts.live for facts in found.layers] == seen_by_layer(tars)
    plan, sources = plan_of(*tars), {i: Bytes(tar) for i, tar in enumerate(tars)}
    total = sum((facts.dead for facts in found.layers), Dropped())
    assert total == count_dropped(plan, sources)
    for position, facts in enumerate(found.layers):
        changeset = read_changeset(sources[position], position)
        spans = sum(member.span for member in changeset.entries)
        assert facts.live + facts.dead.total == spans
        assert facts.other == facts.size - spans
        assert facts.size == len(tars[position])
    assert found.root.live == found.live_bytes
    assert found.root.dead == found.dead_bytes


@pytest.mark.parametrize("name", CORNERS)
def test_sums_of_corners(name: str) -> None:
    """Live, dead and the rest of each layer add up to its size, whatever is in it."""
    check(list(CORNERS[name]))


@examples(100)
@given(layers)
def test_sums(drawn: list[list[Entry]]) -> None:
    """The same in any image."""
    check(tars_of(drawn))


def test_causes() -> None:
    """Deleted, replaced, stored again with another owner, stored again as it was."""
    found = analyze(
        layer(("gone", b"x" * 600), ("new", b"y"), ("owned", b"z" * 513), ("same", b"s"), "kept"),
        layer(whiteout("gone"), ("new", b"n"), entry("owned", b"z" * 513, uid=7), ("same", b"s")),
    )
    assert found.layers[0].dead == Dropped(1536, 1024, 1536, 1024)
    assert (found.layers[0].live, found.layers[0].other) == (512, 1024)
    assert (found.layers[1].dead, found.layers[1].whiteouts) == (Dropped(), 1)
    assert found.layers[1].other == 512 + len(END)
    assert (found.layers[0].entries, found.layers[1].entries) == (5, 3)


def test_file_lives_as_long_as_one_of_its_names() -> None:
    """Its content is live under the other name, though the first one is deleted."""
    tars = [layer(("a", b"x" * 5000), link("b", "a")), layer(whiteout("a"))]
    assert analyze(*tars).dead_bytes == 0
    found = analyze(*tars, layer(whiteout("b")))
    assert {(row.path, row.by) for row in found.dead} == {(b"a", 3), (b"b", 3)}


def test_whole_squash_saves_the_dead_and_the_rest() -> None:
    """All but the end of the new tar, where nothing must be said anew."""
    found = analyze(
        layer("d/", ("d/a", b"x" * 900)), layer("d/", ("d/a", b"y")), layer(opaque("d"), "d/")
    )
    rest = sum(facts.other for facts in found.layers)
    assert found.savings[1, 3].saved == found.dead_bytes + rest - len(END)


def test_labels_are_those_of_the_layers() -> None:
    """In their order, and the layers are numbered from 1."""
    found = analyze(layer("a"), layer("b"))
    assert [(x.number, x.id, x.command) for x in found.layers] == [
        (1, "id1", "step 1"),
        (2, "id2", "step 2"),
    ]


def test_damaged_layer_is_named() -> None:
    """The message tells which one, and where in it."""
    with pytest.raises(MalformedTar, match=r"layer 2: .*at byte 512"):
        analyze(layer("a"), layer("b", end=b"\1" * 512))


def test_entry_that_cannot_be_there_is_named() -> None:
    """A hard link to nothing, of the second layer."""
    with pytest.raises(MalformedTar, match="layer 2: hard link"):
        analyze(layer("a"), layer(link("b", "nothing")))


def test_secrets_are_not_looked_for_unasked() -> None:
    """None says so; an empty list would say that there are none."""
    tar = layer(folder(".ssh"), (".ssh/id_rsa", b"key"))
    assert analyze(tar, secrets=False).secrets is None
    assert len(analyze(tar).secrets or ()) == 1
