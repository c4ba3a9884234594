"""Each kind of conflict is found where it is, and nothing is told where nothing changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import lamella
from lamella.rebasing.conflicts import KINDS
from tests.rebasing.pairs import PAIRS, Pair
from tests.transport.forms import Layout


def report(pair: Pair, folder: Path) -> set[tuple[str, str]]:
    """Return what a rebase tells, as kinds and places."""
    old, new, own = pair.tars()
    made = Layout()
    for tag, tars, config in (
        ("old", [old], pair.old_config),
        ("new", [new], pair.new_config),
        ("app", [old, own], pair.config),
    ):
        made.add(made.manifest(tars, config={"config": config}), tag)
    made.write(folder)
    app, below, other = (f"oci:{folder}:{tag}" for tag in ("app", "old", "new"))
    result = lamella.rebase(app, below, other, dry_run=True)
    return {(conflict.kind, conflict.where) for conflict in result.conflicts}


def test_each_kind_has_a_pair() -> None:
    """So each is seen to be found."""
    assert {pair.kind for pair in PAIRS} == KINDS.keys()


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.kind} {pair.where}")
def test_it_is_found(pair: Pair, tmp_path: Path) -> None:
    """The report names its kind and its place."""
    assert (pair.kind, pair.where) in report(pair, tmp_path / "layout")


_TOLD_ANYHOW = {"link-into-base"}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.kind} {pair.where}")
def test_a_base_that_is_the_same_changes_nothing(pair: Pair, tmp_path: Path) -> None:
    """Nothing is told then."""
    same = replace(pair, new=pair.old, new_config=pair.old_config)
    told = {kind for kind, _ in report(same, tmp_path / "layout")}
    assert told <= _TOLD_ANYHOW
