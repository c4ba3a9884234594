from __future__ import annotations

import pytest

from lamella.errors import Ambiguous, UnknownLayer, UsageError
from lamella.image import Image
from lamella.selection import Selection, position_of, select, select_above_image
from tests.support.images import image, made_by
from tests.support.tars import layer

TARS = [layer(name) for name in "abcde"]
IMAGE = image(*TARS, name="app")


def ranges(source: Image = IMAGE, **choice: object) -> list[tuple[int, int]]:
    """Select, and return the ranges as pairs."""
    found = select(source, **choice)  # type: ignore[arg-type]
    return [(r.start, r.stop) for r in found.ranges]


# -- ways to choose


def test_all_layers_by_default() -> None:
    """Without a choice everything is squashed, and there is no base."""
    assert ranges() == [(0, 5)]
    assert select(IMAGE).base_steps == 0


def test_above_a_layer() -> None:
    """The layer that is named stays, all above it is squashed."""
    assert ranges(above="#2") == [(2, 5)]
    assert ranges(above=str(IMAGE.diff_ids[0])) == [(1, 5)]


def test_nothing_is_above_the_top() -> None:
    """The range is empty, and so there is nothing to squash."""
    assert select(IMAGE, above="#5").squashing == ()
    assert select(IMAGE, above="#4").squashing == ()


@pytest.mark.parametrize(("last", "want"), [(1, (4, 5)), (2, (3, 5)), (5, (0, 5))])
def test_newest_layers(last: int, want: tuple[int, int]) -> None:
    """So many of the newest."""
    assert ranges(last=last) == [want]


@pytest.mark.parametrize("last", [0, -1, 6])
def test_more_newest_layers_than_there_are(last: int) -> None:
    """It is said how many there are."""
    with pytest.raises(UsageError, match="expected 1 to 5, the layers of app"):
        select(IMAGE, last=last)


def test_ranges_are_from_1_and_closed() -> None:
    """As people count; in whatever order they are given."""
    assert ranges(layers=["4-5", "1-2"]) == [(0, 2), (3, 5)]
    assert ranges(layers=["1-1", "2", "3-5"]) == [(0, 1), (1, 2), (2, 5)]
    assert select(IMAGE, layers=["1-1", "2", "3-5"]).squashing == (range(2, 5),)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["0-2"], "1 to 5"),
        (["4-6"], "1 to 5"),
        (["3-2"], "did you mean 2-3?"),
        (["1-"], "expected A-B"),
        (["-2"], "expected A-B"),
        (["a-b"], "expected A-B"),
        ([""], "expected A-B"),
        (["1-2-3"], "expected A-B"),
        (["1-3", "3-4"], "1-3 and 3-4 overlap"),
        (["2-4", "1-5"], "overlap"),
    ],
)
def test_senseless_ranges(texts: list[str], why: str) -> None:
    """Each is refused with its reason."""
    with pytest.raises(UsageError, match=why):
        select(IMAGE, layers=texts)


def test_selection_checks_its_ranges() -> None:
    """Ranges may touch but not meet."""
    assert Selection((range(2), range(2, 4))).squashing == (range(2), range(2, 4))
    with pytest.raises(UsageError, match="overlap"):
        Selection((range(3), range(2, 4)))


# -- names of layers


def test_every_name_of_a_layer() -> None:
    """Position, diff ID, chain ID; the image's own ID is its top layer's."""
    for position in range(5):
        for digest in (IMAGE.diff_ids[position], IMAGE.chain_ids[position]):
            assert position_of(IMAGE, digest) == position
            assert position_of(IMAGE, digest.hex) == position
            assert position_of(IMAGE, digest.short) == position
        assert position_of(IMAGE, f"#{position + 1}") == position
    assert position_of(IMAGE, IMAGE.id) == 4


@pytest.mark.parametrize("name", ["#0", "#6", "#", "#x", "#-1", "#1.0"])
def test_position_that_is_none(name: str) -> None:
    """It is said which there are."""
    with pytest.raises(UnknownLayer, match="1 to 5"):
        position_of(IMAGE, name)


@pytest.mark.parametrize(
    "name", ["", "abc", "ABCDEF12", "g" * 12, "sha512:" + "0" * 12, "app:latest"]
)
def test_text_that_can_name_no_layer(name: str) -> None:
    """It is said what would."""
    with pytest.raises(UnknownLayer, match="at least 4 hex digits"):
        position_of(IMAGE, name)


def test_unknown_id() -> None:
    """An ID that none has."""
    with pytest.raises(UnknownLayer, match="lists them"):
        position_of(IMAGE, "0" * 64)


def test_same_layer_twice_is_ambiguous() -> None:
    """Equal layers have one diff ID, but each its chain ID."""
    twice = image(TARS[0], TARS[1], TARS[0], name="twice")
    with pytest.raises(Ambiguous, match=r"layers 1 .* 3 "):
        position_of(twice, twice.diff_ids[2])
    assert position_of(twice, twice.chain_ids[2]) == 2


def test_ambiguous_prefix() -> None:
    """A prefix that several layers have is refused, with the candidates."""
    ids = tuple(f"sha256:abcd{n}{'0' * 59}" for n in range(5))
    source = image(*TARS, history=made_by(*"abcde"), history_ids=ids)
    with pytest.raises(Ambiguous, match=r"layers 1 .* 5 "):
        position_of(source, "abcd")
    assert position_of(source, "abcd3") == 3


def test_exact_id_beats_prefix() -> None:
    """An ID that is the beginning of another is no ambiguity."""
    ids = ("sha256:abcd", "sha256:abcdef")
    source = image(*TARS[:2], history=made_by("a", "b"), history_ids=ids)
    assert position_of(source, "abcd") == 0


def test_history_ids_stand_for_the_layers_below() -> None:
    """An intermediate image that only changed the config names the layer it ends with."""
    history = made_by("(env)", "a", "(cmd)", "b", "(label)")
    ids = ("sha256:11111111", "sha256:22222222", "sha256:33333333", None, "sha256:55555555")
    source = image(*TARS[:2], history=history, history_ids=ids)
    assert position_of(source, "2222") == position_of(source, "3333") == 0
    assert position_of(source, "5555") == 1
    with pytest.raises(UnknownLayer):
        position_of(source, "1111")  # nothing is below it


def test_history_ids_that_do_not_fit_are_no_names() -> None:
    """An engine that tells another history is not believed."""
    source = image(*TARS[:2], history=made_by("a", "b"), history_ids=("sha256:abcdef",))
    with pytest.raises(UnknownLayer):
        position_of(source, "abcdef")


# -- above another image


def test_above_the_base_image() -> None:
    """All that the image has and its base hasn't."""
    base = image(*TARS[:2], name="base", history=made_by("(env)", "a", "b"))
    app = image(*TARS, history=made_by("(env)", "a", "b", "c", "d", "e"))
    found = select_above_image(app, base)
    assert (found.ranges, found.base_steps) == ((range(2, 5),), 3)


def test_base_with_another_history() -> None:
    """Its layers count; how many history entries are its own isn't known then."""
    base = image(*TARS[:2], history=made_by("other", "steps"))
    app = image(*TARS, history=made_by(*"abcde"))
    assert select_above_image(app, base).base_steps is None
    assert select_above_image(IMAGE, image(*TARS[:2])).base_steps is None


def test_image_above_itself() -> None:
    """Nothing."""
    assert select_above_image(IMAGE, IMAGE).squashing == ()


@pytest.mark.parametrize(("base", "shared"), [([0, 1, 4], 2), ([0, 2], 1), ([0, 1, 2, 3, 4, 0], 5)])
def test_image_that_is_not_below(base: list[int], shared: int) -> None:
    """It is said how much they share, and how to squash above that."""
    other = image(*(TARS[n] for n in base), name="other")
    with pytest.raises(UsageError, match=rf"share {shared} of its {len(base)} .*`base` {shared}"):
        select_above_image(IMAGE, other)


def test_image_that_shares_nothing() -> None:
    """Then there is no layer to offer."""
    with pytest.raises(UsageError, match=r"share 0 of its 1 layers$"):
        select_above_image(IMAGE, image(layer("z"), name="other"))
