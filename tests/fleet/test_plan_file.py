"""Plan files: what is written is read, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamella.errors import UsageError
from lamella.fleet.best import choose_plan
from lamella.fleet.plan_file import format_plan, plan_to_json, read_plan
from tests.fleet.catalogues import of_tars
from tests.support.tars import layer, whiteout

_BASE, _CLEAN = layer(("big", b"1" * 9000), ("live", b"0" * 9000)), layer(whiteout("big"))
_FLEET = ((_BASE, _CLEAN, layer("a")), (_BASE, _CLEAN, layer("b")), (layer("c"),))


def _document(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """The document of a plan, with another first image."""
    case = of_tars(_FLEET)
    document = plan_to_json(choose_plan(case.catalogue, case.sizes, pulls={"2": 1}))
    document["images"][0] |= changes
    return document


def test_what_is_written_is_read() -> None:
    """The same plan gives the same text."""
    case = of_tars(_FLEET)
    plan = choose_plan(case.catalogue, case.sizes)
    text = format_plan(plan)
    assert text == format_plan(choose_plan(case.catalogue, case.sizes))
    read = read_plan(text, "plan.json")
    assert [one.image for one in read] == ["0", "1", "2"]
    assert [one.squash for one in read] == [image.layers for image in plan.images]
    assert [one.squash for one in read] == [("1-2",), ("1-2",), ()]
    assert [one.layers_after for one in read] == [2, 2, 1]
    assert [one.bytes_after for one in read] == [image.after for image in plan.images]
    assert json.loads(text)["pulled"] is None


def test_several_ranges_are_read() -> None:
    """In order and apart."""
    document = _document(layers_before=9, layers_after=5, squash=["1-2", "3-4", "7-9"])
    assert read_plan(json.dumps(document), "p")[0].squash == ("1-2", "3-4", "7-9")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"squash": ["1-2", "2-3"]}, "p: images[0]: squash: expected ranges A-B of 3 layers"),
        ({"squash": ["2-4"]}, "in order and apart, got '2-4'"),
        ({"squash": ["2-2"]}, "got '2-2'"),
        ({"squash": ["x"]}, "got 'x'"),
        ({"squash": [1]}, "got 1"),
        ({"squash": []}, "squash leaves 3 layers, but layers_after is 2"),
        ({"squash": None}, "squash: expected a list, got None"),
        ({"bytes_after": True}, "bytes_after: expected a whole number, got True"),
        ({"id": 1}, "p: images[0]: id: expected a text, got 1"),
        ({"more": 1}, "'more' is unknown"),
    ],
)
def test_an_image_that_is_not_understood_is_told(changes: dict[str, Any], words: str) -> None:
    """Where it is, and what was expected."""
    with pytest.raises(UsageError) as caught:
        read_plan(json.dumps(_document(**changes)), "p")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "p: no plan: "),
        ("[]", 'p: no plan; expected "kind": "lamella plan"'),
        ('{"kind": "lamella plan", "version": 2}', "p: a plan of version 2; expected 1"),
        ('{"kind": "lamella plan", "version": 1}', "p: max_layers is missing"),
        (json.dumps(_document() | {"images": {}}), "p: images: expected a list, got {}"),
        (json.dumps(_document() | {"images": [1]}), "p: images[0]: expected an object, got 1"),
        (json.dumps(_document() | {"more": 1}), "p: 'more' is unknown"),
    ],
)
def test_what_is_no_plan_is_told(text: str, words: str) -> None:
    """In one line."""
    with pytest.raises(UsageError) as caught:
        read_plan(text, "p")
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)
