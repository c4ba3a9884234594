"""The plan for a catalogue, against all plans that there are."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import UsageError
from lamella.fleet.best import FleetPlan, choose_plan
from lamella.fleet.tree import Catalogue, FleetImage
from lamella.spec.digest import Digest, chain_ids
from tests.fleet.catalogues import Case, best_of_all, made_up, of_tars, real
from tests.support.examples import examples
from tests.support.tars import layer, whiteout

_RANDOM = st.integers(0, 1 << 32).map(Random)


def _cost(plan: FleetPlan) -> int:
    return plan.stored_after + plan.pulled_after + plan.charged


@examples(100)
@given(_RANDOM)
def test_no_plan_is_better(random: Random) -> None:
    """Where no piece is smaller than its upper part the plan is the best, and says so."""
    case = made_up(random)
    plan = choose_plan(case.catalogue, case.sizes)
    assert best_of_all(case, _cost(plan)) == _cost(plan)
    assert plan.gap == 0


@examples(60)
@given(_RANDOM)
def test_with_real_sizes_nearly_none_is_better(random: Random) -> None:
    """For tars, whose pieces may be smaller than their parts: the best, or the gap is told.

    ``LAMELLA_EXAMPLES=170`` tries 10,000.
    """
    case = real(random)
    plan = choose_plan(case.catalogue, case.sizes)
    best = best_of_all(case, _cost(plan))
    assert plan.at_least <= best
    assert _cost(plan) - best <= plan.gap
    assert plan.stored_after <= plan.stored_before


@examples(25)
@given(_RANDOM, st.integers(1, 4), st.booleans())
def test_what_is_told_of_a_bound_holds(random: Random, limit: int, repeated: bool) -> None:
    """With a limit, pulls, and layers at several places: no plan falls below what is told."""
    case = real(random, repeated=repeated)
    pulls = {image.name: random.choice([0, 1, 3]) for image in case.catalogue.images}
    plan = choose_plan(case.catalogue, case.sizes, max_layers=limit, pulls=pulls)
    assert all(len(image.pieces) <= limit for image in plan.images)
    assert plan.at_least <= best_of_all(case, _cost(plan), limit=limit, pulls=pulls)


@examples(50)
@given(_RANDOM, st.integers(1, 3))
def test_layers_that_are_kept_stay_as_they_are(random: Random, count: int) -> None:
    """A base that must stay: all its layers are cut apart, and the rest is the best there is."""
    case = made_up(random)
    catalogue = case.catalogue
    keep = {node.chain_id for node in catalogue.nodes if node.depth == count - 1}
    short = {e for e in catalogue.ends if catalogue.nodes[e].depth < count - 1}
    keep |= {catalogue.nodes[end].chain_id for end in short}
    plan = choose_plan(catalogue, case.sizes, keep=keep)
    assert best_of_all(case, _cost(plan), kept=count) == _cost(plan)
    for image in plan.images:
        assert all(len(piece) == 1 for piece in image.pieces if piece.start < count)


@examples(60)
@given(_RANDOM, st.integers(1, 60))
def test_a_new_layer_must_be_worth_it(random: Random, charge: int) -> None:
    """It counts as larger than it is; the plan is the best of all that way, too."""
    case = made_up(random)
    plan = choose_plan(case.catalogue, case.sizes, min_saved=charge)
    assert plan.charged == charge * len(plan.made)
    assert best_of_all(case, _cost(plan), charge=charge) == _cost(plan)
    assert plan.gap == 0
    assert plan.saved >= plan.charged


@examples(15)
@given(_RANDOM, st.integers(1, 3), st.integers(1, 3000))
def test_with_all_conditions_the_bound_holds(random: Random, limit: int, charge: int) -> None:
    """At once: a limit, pulls, layers at several places, and charges."""
    case = real(random, repeated=True)
    pulls = {image.name: random.choice([0, 1, 3]) for image in case.catalogue.images}
    plan = choose_plan(case.catalogue, case.sizes, max_layers=limit, pulls=pulls, min_saved=charge)
    best = best_of_all(case, _cost(plan), limit=limit, pulls=pulls, charge=charge)
    assert plan.at_least <= best


def _fleet(*images: tuple[bytes, ...]) -> Case:
    return of_tars(images)


BASE = layer("d/", ("d/big", b"1" * 5000), ("live", b"0" * 3000))
CLEANED = layer(whiteout("d/big"))
_A, _B, _C = (layer((name, b"1" * 900)) for name in "abc")


def test_a_shared_base_is_worth_more_than_what_is_dead_in_it() -> None:
    """One image would be squashed; two keep what they share."""
    alone = _fleet((BASE, CLEANED, _A))
    assert choose_plan(alone.catalogue, alone.sizes).images[0].layers == ("1-3",)
    both = _fleet((BASE, _A), (BASE, _B), (BASE, CLEANED, _C))
    plan = choose_plan(both.catalogue, both.sizes)
    assert [image.layers for image in plan.images] == [(), (), ("2-3",)]
    assert (plan.gap, plan.kept) == (0, frozenset(map(Digest.of, (BASE, _A, _B))))


def test_equal_ranges_are_one_layer() -> None:
    """Two images have the same dead bytes below: both get the same new layer."""
    case = _fleet((BASE, CLEANED, _A), (BASE, CLEANED, _B))
    plan = choose_plan(case.catalogue, case.sizes)
    [new] = plan.made
    assert (new.first, new.images, new.size) == (0, 2, case.rows[new.last][0])
    assert plan.stored_after == new.size + len(_A) + len(_B)
    assert [image.layers for image in plan.images] == [("1-2",), ("1-2",)]


def test_a_layer_at_several_places_is_stored_once() -> None:
    """It stays, though a merged one would be smaller, because another image has it anyway."""
    other = layer(("o", b"3" * 900))
    case = _fleet((BASE, CLEANED, _A), (other, BASE, _A))
    plan = choose_plan(case.catalogue, case.sizes, max_layers=3)
    assert plan.stored_before == sum(map(len, (BASE, CLEANED, _A, other)))
    assert plan.stored_after == best_of_all(case, plan.stored_after)


def test_pulls_turn_the_scale() -> None:
    """Of an image that is pulled often its own size counts more than what it shares."""
    case = _fleet((BASE, _A), (BASE, CLEANED, _B))
    plan = choose_plan(case.catalogue, case.sizes, pulls={"1": 100})
    assert plan.images[1].layers == ("1-3",)
    assert plan.pulled_before == 100 * (len(BASE) + len(CLEANED) + len(_B))
    assert plan.pulled_after == 100 * plan.images[1].after


def test_an_image_that_cannot_be_merged_stays() -> None:
    """So do the layers that others share with it."""
    case = _fleet((BASE, CLEANED, _A), (BASE, CLEANED, _B))
    first, second = case.catalogue.images
    fixed = FleetImage(first.name, first.diff_ids, first.sizes, fixed="it is of Windows")
    plan = choose_plan(Catalogue.of([fixed, second]), case.sizes)
    assert [image.layers for image in plan.images] == [(), ()]


def test_a_deep_tree_is_no_matter() -> None:
    """Many more layers than Python calls may be nested."""
    diff_ids = tuple(Digest.of(b"%d" % number) for number in range(1050))
    catalogue = Catalogue.of([FleetImage("deep", diff_ids, (1024,) * 1050)])
    plan = choose_plan(catalogue, lambda number: range(1024 * (number + 1), 0, -1024), max_layers=2)
    assert len(plan.images[0].pieces) == 2
    assert plan.stored_after == plan.stored_before


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"max_layers": 0}, "`max_layers` 0: expected a number of layers, at least 1"),
        ({"keep": [Digest.of(b"")]}, "`keep`: no image has a layer sha256:e3b0"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(asked: dict[str, object], words: str) -> None:
    """With what was expected."""
    case = _fleet((BASE, _A))
    with pytest.raises(UsageError, match=words):
        choose_plan(case.catalogue, case.sizes, **asked)  # type: ignore[arg-type]


def test_more_layers_are_kept_than_are_allowed() -> None:
    """Which image it is, and how many it has at least."""
    case = _fleet((BASE, CLEANED, _A))
    keep = chain_ids(case.catalogue.images[0].diff_ids)[1:2]
    with pytest.raises(UsageError, match="0 keeps 2 layers, so it has at least 3"):
        choose_plan(case.catalogue, case.sizes, max_layers=2, keep=keep)
