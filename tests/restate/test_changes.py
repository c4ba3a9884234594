"""Documents change just where it is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import UsageError
from lamella.restate.changes import NO_CHANGES, Changes
from lamella.spec.config import Config
from lamella.spec.manifest import Index, Manifest
from tests.support.images import config_of
from tests.transport.forms import layout_of

DIFF_ID = f"sha256:{'0' * 64}"
SETTINGS = {
    "Env": ["PATH=/bin", "A=b", "TOKEN=abc"],
    "Labels": {"a": "b", "token": "abc"},
    "Future": {"deep": [1, None, 1.25]},
}
EACH = {
    "change": "ENV B=c",
    "unset_env": "A",
    "unset_label": "a",
    "redact": True,
    "redact_names": "PATH",
}


def config(**settings: object) -> Config:
    """Return a config, written as nobody writes it, with fields that nobody knows."""
    more: dict[str, Any] = {"config": {**SETTINGS, **settings}, "x-new": [{"y": 1.5}]}
    value = config_of([DIFF_ID], None, **more)
    return Config.parse(json.dumps(value, indent=3).encode(), "test")


def changes(**given: Any) -> Changes:  # noqa: ANN401 - see Changes.parse
    """Return what parameters mean."""
    return Changes.parse(**given)


def test_each_parameter_does_its_part() -> None:
    """And all of them together."""
    made = {name: changes(**{name: EACH[name]}).config(config()).value["config"] for name in EACH}
    assert made["change"] == {**SETTINGS, "Env": [*SETTINGS["Env"], "B=c"]}
    assert made["unset_env"] == {**SETTINGS, "Env": ["PATH=/bin", "TOKEN=abc"]}
    assert made["unset_label"] == {**SETTINGS, "Labels": {"token": "abc"}}
    hidden = {"Env": ["PATH=/bin", "A=b", "TOKEN=***"], "Labels": {"a": "b", "token": "***"}}
    assert made["redact"] == {**SETTINGS, **hidden}
    assert made["redact_names"] == {**SETTINGS, "Env": ["PATH=***", "A=b", "TOKEN=abc"]}
    assert changes(**EACH).config(config()).value["config"] == {
        "Env": ["PATH=***", "TOKEN=***", "B=c"],
        "Labels": {"token": "***"},
        "Future": SETTINGS["Future"],
    }


def test_what_is_set_can_be_unset_and_redacted() -> None:
    """Instructions come first."""
    both = changes(change=["ENV B=c TOKEN=xyz"], unset_env="B", redact=True)
    assert both.config(config()).value["config"]["Env"] == ["PATH=/bin", "A=b", "TOKEN=***"]


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"unset_env": ["NONE", "a"], "unset_label": ["A", "none"]},
        {"redact_names": ["NONE"]},
        {"change": ["ENV A=b", "LABEL a=b", "ENV PATH=$PATH"]},
    ],
)
def test_where_nothing_changes_the_bytes_stay(nothing: dict[str, Any]) -> None:
    """Not only the values: the digest is another one otherwise."""
    old = config()
    assert changes(**nothing).config(old) is old
    layout = layout_of()
    [entry] = layout.entries
    raw = layout.files[f"blobs/sha256/{entry['digest'][7:]}"]
    manifest, index = Manifest.parse(raw, "m"), Index.parse(layout.all_files()["index.json"], "i")
    assert changes(**nothing).manifest(manifest, frozenset()) is manifest
    assert changes(**nothing).index(index, frozenset()) is index


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_fields_that_nobody_knows_survive(unknown: object) -> None:
    """At every depth, in their order."""
    old = config(**{"x-own": unknown})
    value = {**old.value, "x-first": unknown}
    new = changes(change="USER x", unset_env="A", unset_label="a").config_value(value)
    assert list(new) == list(value)
    assert new["x-first"] == new["config"]["x-own"] == unknown
    untouched = value.keys() - {"config"}
    assert {key: new[key] for key in untouched} == {key: value[key] for key in untouched}


def test_odd_numbers_are_written_as_they_were() -> None:
    """1.50 is not 1.5 to whoever compares digests of what they wrote."""
    raw = config().raw.replace(b'"y": 1.5', b'"y": 1.50')
    assert b'"y":1.50' in changes(change="USER x").config(Config.parse(raw, "test")).raw


def test_what_is_not_there_is_told() -> None:
    """It may be a slip."""
    found = list(changes(unset_env=["A", "NONE"], unset_label="none").unused(config()))
    assert found == [
        "`unset_env` NONE: the image has no such variable",
        "`unset_label` none: the image has no such label",
    ]


@pytest.mark.parametrize(
    ("parameter", "name"),
    [("unset_env", ""), ("unset_env", "A=b"), ("unset_label", ""), ("redact_names", "")],
)
def test_names_are_names(parameter: str, name: str) -> None:
    """Said before any work."""
    with pytest.raises(UsageError, match=f"`{parameter}` '{name}': expected a name"):
        changes(**{parameter: ["X", name]})


@pytest.mark.parametrize("parameter", ["unset_env", "unset_label", "redact_names"])
def test_names_are_utf_8(parameter: str) -> None:
    """Documents can't say others."""
    with pytest.raises(UsageError, match=f"`{parameter}`: expected UTF-8"):
        changes(**{parameter: "\udcff"})


def test_what_was_asked_for_is_told_without_secrets() -> None:
    """As an attestation tells it."""
    given = [
        "env TOKEN=hunter2-hunter2 A=b",
        "LABEL NAME='in two words'",
        'CMD ["app", "--password", "x"]',
    ]
    asked = changes(change=given, unset_env=["B", "A"], redact_names="NAME").to_json()
    assert asked == {
        "change": [
            "ENV TOKEN=(hidden) A=b",
            "LABEL NAME=(hidden)",
            'CMD ["app", "--password", (hidden)]',
        ],
        "unset_env": ["A", "B"],
        "unset_label": [],
        "redact": None,
        "redact_names": ["NAME"],
    }
    assert not any(NO_CHANGES.to_json().values())
