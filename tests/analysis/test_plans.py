"""The choice of what to squash, against all choices that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from lamella.analysis.lifetimes import Life, lay
from lamella.analysis.model import Saving
from lamella.analysis.plans import choose_auto, choose_max_layers
from lamella.analysis.savings import savings
from lamella.layer.blob import Bytes
from lamella.merge.changeset import read_changeset
from lamella.selection import Selection
from lamella.tar.entry import Member
from tests.support.examples import examples
from tests.support.images import image
from tests.support.squashing import squash
from tests.support.tars import layer, whiteout

Savings = Mapping[tuple[int, int], Saving]


@st.composite
def _images(draw: st.DrawFn) -> tuple[Savings, list[int], int]:
    """Savings of up to 10 layers, what of each is shared, and a number of layers to be."""
    few = st.integers(0, 3)  # so that much is equally good
    sizes = draw(st.lists(few | st.integers(0, 1000), min_size=1, max_size=10))
    found: dict[tuple[int, int], Saving] = {}
    for first in range(1, len(sizes) + 1):
        for last in range(first, len(sizes) + 1):
            before = sum(sizes[first - 1 : last])
            after = before if first == last else draw(few | st.integers(0, 2 * before))
            found[first, last] = Saving(first, last, before, after)
    shared = [draw(st.sampled_from([0, 0, size])) for size in sizes]
    return found, shared, draw(st.integers(1, len(sizes) + 1))


def _cuts(count: int, groups: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to cut so many layers into groups, as the places between them."""
    for inner in combinations(range(1, count), groups - 1):
        yield (0, *inner, count)


def _worth(
    cut: Sequence[int], found: Savings, shared: Sequence[int]
) -> tuple[int, int, tuple[int, ...]]:
    """Less is better: what is lost in sharing, what is left, how far down it reaches."""
    squashed = [range(a, b) for a, b in pairwise(cut) if b - a > 1]
    lost = sum(shared[position] for positions in squashed for position in positions)
    return lost, sum(found[a + 1, b].after for a, b in pairwise(cut)), tuple(cut)


@examples(300)
@given(_images())
def test_no_other_choice_is_better(drawn: tuple[Savings, list[int], int]) -> None:
    """Of all ways to have so many layers, it is the best, or of the best the topmost."""
    found, shared, most = drawn
    count = len(shared)
    ranges = choose_max_layers(found, most, shared)
    assert count - sum(len(r) - 1 for r in ranges) == min(most, count)
    assert Selection(ranges).squashing == ranges
    cut = min(_cuts(count, min(most, count)), key=lambda cut: _worth(cut, found, shared))
    assert ranges == tuple(range(a, b) for a, b in pairwise(cut) if b - a > 1)


def _flat(*sizes: int) -> Savings:
    """Layers that bring nothing when they are squashed."""
    return {
        (a + 1, b): Saving(a + 1, b, sum(sizes[a:b]), sum(sizes[a:b]))
        for a, b in combinations(range(len(sizes) + 1), 2)
    }


def test_what_is_equally_good_is_squashed_at_the_top() -> None:
    """With nothing to gain, the newest layers are squashed."""
    assert choose_max_layers(_flat(5, 5, 5, 5), 2, [0, 0, 0, 0]) == (range(1, 4),)


def test_sharing_comes_before_size() -> None:
    """However much a shared layer would bring, it is left alone if there is another way."""
    found = {**_flat(9, 9, 9, 9), (1, 2): Saving(1, 2, 18, 0)}
    assert choose_max_layers(found, 3, [9, 0, 0, 0]) == (range(2, 4),)
    assert choose_max_layers(found, 3, [0, 0, 0, 0]) == (range(2),)
    assert choose_max_layers(found, 1, [9, 0, 0, 0]) == (range(4),)


def test_few_layers_stay() -> None:
    """An image that has no more layers than asked for is left as it is."""
    assert choose_max_layers(_flat(5, 5), 2, [0, 0]) == ()
    assert choose_max_layers(_flat(5, 5), 9, [0, 0]) == ()


def test_many_layers_are_no_matter() -> None:
    """As many layers as an engine takes, halved: one layer shared, which is left alone."""
    found = _flat(*[100] * 125)
    shared = [100, *[0] * 124]
    assert choose_max_layers(found, 62, shared) == (range(61, 125),)


# --- auto ---------------------------------------------------------------------------------------


def _life(made: int, killed: int) -> Life:
    return Life(Member(b"", b"a", b"0", b"", 0, 512, 0, 0, made), killed, None)


_LIVES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 6)).map(lambda drawn: _life(drawn[0], max(drawn))),
    max_size=6,
)


@examples(300)
@given(_LIVES, st.integers(0, 4))
def test_no_fewer_layers_would_do(lives: list[Life], base: int) -> None:
    """All dead of above the base are in one range with their end; no fewer layers would do that."""

    def removes(ranges: Sequence[range]) -> bool:
        return all(
            any(life.member.origin in r and life.killed in r for r in ranges)
            for life in lives
            if base <= life.member.origin < life.killed
        )

    ranges = choose_auto(lives, base)
    assert removes(ranges)
    assert Selection(ranges).squashing == ranges
    assert all(r.start >= base for r in ranges)
    others = [
        [range(a, b) for a, b in pairwise(cut) if b - a > 1]
        for groups in range(1, 8)
        for cut in _cuts(7, groups)
    ]
    assert sum(map(len, ranges)) == min(sum(map(len, other)) for other in others if removes(other))


def test_what_it_chooses_leaves_nothing_dead() -> None:
    """A real image: after the squash only the base has dead bytes, and other layers are kept."""
    tars = [
        layer("d/", ("d/base", b"1")),
        layer(("a", b"1" * 2000), whiteout("d/base")),
        layer(("a", b"2"), ("b", b"3")),
        layer("untouched"),
        layer(("c", b"4" * 2000)),
        layer(whiteout("c"), ("e", b"5")),
    ]
    laid = lay([read_changeset(Bytes(tar), i) for i, tar in enumerate(tars)])
    ranges = choose_auto(laid.dead(), base=1)
    assert ranges == (range(1, 3), range(4, 6))
    assert choose_auto(laid.dead()) == (range(3), range(4, 6))
    _, sink = squash(image(*tars), *ranges)
    after = lay([read_changeset(Bytes(tar), i) for i, tar in enumerate(sink.tars)])
    assert {x.member.origin for x in after.dead()} == {0}
    told = savings(laid)
    assert sum(map(len, tars)) - sum(map(len, sink.tars)) == told[2, 3].saved + told[5, 6].saved


def test_nothing_dead_nothing_chosen() -> None:
    """An image in which all lives is left as it is; so is one whose dead are in the base."""
    assert choose_auto([]) == ()
    assert choose_auto([_life(0, 2)], base=1) == ()
    assert choose_auto([_life(1, 1)]) == ()
