"""What is left out and what is clamped, against the slow reading of the rules."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.check_edits import check_finished
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.tars import MTIME, Entry

LINES = st.lists(
    st.sampled_from(
        [
            *("a", "b", "a/a", "*/a", "a/*", "**/b", "a/**", "s", "c", "?", "[ab]/a", "long-*"),
            *("!a/a", "!**/b", "!b", "!a/**/a", "**", "*", "caf?", "nothing", "a/a/a"),
            *("!*/*", "!a/b", "a", "**a", "a*/**", r"\[a]", "c/*", "!**/s"),
        ]
    ),
    max_size=4,
)
LATEST = st.sampled_from([None, None, 0, 10**9, MTIME])


@st.composite
def ranges_of(draw: st.DrawFn, count: int) -> tuple[range, ...]:
    """Draw ranges of one layer or more, in order."""
    cuts = sorted(draw(st.sets(st.integers(0, count), min_size=2)))
    pairs = [range(a, b) for a, b in pairwise(cuts)]
    return tuple(r for r in pairs if draw(st.booleans())) or (pairs[0],)


@examples(300)
@given(layers, LINES, LATEST, st.data())
def test_exactly_what_is_asked_for_is_another_thing(
    drawn: list[list[Entry]], lines: list[str], latest: int | None, data: st.DataObject
) -> None:
    """Paths that are meant are gone, times are clamped, all else is as it was; `prove` agrees.

    And it is refused where a layer that is kept makes it impossible, but nowhere else.
    """
    check_finished(drawn, data.draw(ranges_of(len(drawn))), lines, latest)


def test_what_a_squashed_layer_links_to_anew_is_of_that_layer() -> None:
    """A file of the base loses its first name; the squashed layer says the other one once more."""
    drawn = [
        [Entry(b"file")],
        [Entry(b"other", type=b"1", link=b"file")],
        [Entry(b"other", type=b"1", link=b"file"), Entry(b"file/in")],
    ]
    assert check_finished(drawn, [range(2, 3)], [], 0)
