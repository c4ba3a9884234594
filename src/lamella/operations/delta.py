"""One image as the layers of another and one more: what a holder of the other one lacks."""

from __future__ import annotations

from dataclasses import dataclass

from lamella.merge.difference import difference_of, regrouped
from lamella.merge.gc_pause import collector_paused
from lamella.merge.plan import Plan, make_plan
from lamella.operations.ignoring import Ignoring
from lamella.operations.pairs import Pair
from lamella.rootfs import HARD_LINK_OF, Difference, compare_rootfs

__all__ = ["PlannedDelta", "plan_delta"]


@dataclass(frozen=True)
class PlannedDelta:
    """The layer that makes an image out of another."""

    plan: Plan | None
    """None: they have the same files."""
    ignored: dict[str, int]
    """By word, how many differences the layer leaves out."""


def plan_delta(pair: Pair, ignoring: Ignoring) -> PlannedDelta:
    """Plan the layer that, laid over the first image, makes the files of the second.

    Raises:
        Unsupported: a file can't be said so that all engines understand it.
        ImageError: a layer is damaged.
    """
    old, new = pair.files
    with collector_paused():
        differences, ignored = ignoring.split(compare_rootfs(old, new))
        if not differences:
            return PlannedDelta(None, ignored)
        changed = {one.path for one in differences if _is_own(one)}
        changed |= regrouped((new.tree, new.groups), (old.tree, old.groups), changed)
        difference = difference_of(new.tree, old.tree, changed)
        plan = make_plan(difference, pair.changesets)
    return PlannedDelta(plan, ignored)


def _is_own(difference: Difference) -> bool:
    """Whether a difference is one of the path itself, and not of the file's other names."""
    return difference.what != HARD_LINK_OF
