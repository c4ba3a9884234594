"""Fields in which documents differ have names that say where they are."""

from __future__ import annotations

import json

import pytest

from lamella.spec.changes import FieldChange, compare_configs, compare_values
from lamella.spec.json import load_json


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({"config": {"User": "a"}}, {"config": {"User": "b"}}, [("User", "a", "b")]),
        ({"os": "a"}, {}, [("os", "a", None)]),
        (
            {"config": {"Env": ["A=1", "B=2"]}},
            {"config": {"Env": ["B=3", "C=4", "A=1"]}},
            [("Env.B", "2", "3"), ("Env.C", None, "4")],
        ),
        ({}, {"config": {"Labels": {"a.b": "c"}}}, [("Labels.a.b", None, "c")]),
        (
            {"config": {"Healthcheck": {"Test": ["NONE"], "Retries": 1}}},
            {"config": {"Healthcheck": {"Test": ["CMD", "x"], "Retries": 1}}},
            [("Healthcheck.Test", ["NONE"], ["CMD", "x"])],
        ),
        (
            {"container_config": {"Env": ["A=1"]}},
            {"container_config": {"Env": ["A=2"]}},
            [("container_config.Env.A", "1", "2")],
        ),
        # a name twice, or another order, or an empty value: as a whole
        ({"config": {"Env": ["A=1", "A=2"]}}, {"config": {}}, [("Env", ["A=1", "A=2"], None)]),
        (
            {"config": {"Env": ["A=1", "B=2"]}},
            {"config": {"Env": ["B=2", "A=1"]}},
            [("Env", ["A=1", "B=2"], ["B=2", "A=1"])],
        ),
        ({"config": {"Labels": {}}}, {"config": {}}, [("Labels", {}, None)]),
        ({"config": None}, {}, []),
        # what every squash changes
        ({"history": [1], "rootfs": 1, "created": "x"}, {"history": []}, []),
    ],
)
def test_each_field_is_named(
    one: dict[str, object], other: dict[str, object], found: list[tuple[str, object, object]]
) -> None:
    """As deep as values have fields."""
    assert list(compare_configs(one, other)) == [FieldChange(*change) for change in found]


def test_odd_numbers_can_be_said() -> None:
    """Those that Python can't hold are texts then; any JSON encoder takes them."""
    ours, theirs = load_json('{"a": 1.50, "b": [{"c": -0}]}'), load_json('{"a": 1.5}')
    found = [change.to_json() for change in compare_values("x", ours, theirs)]
    assert json.loads(json.dumps(found)) == [
        {"field": "x.a", "before": "1.50", "after": 1.5},
        {"field": "x.b", "before": [{"c": "-0"}], "after": None},
    ]


def test_a_change_reads_as_a_line() -> None:
    """Lists as JSON; nothing is none."""
    assert str(FieldChange("Cmd", ["a", "ü"], None)) == 'Cmd: ["a", "ü"] → none'
    assert str(FieldChange("", None, "x")) == "config: none → x"
