"""One image as the layers of another and one more: what a holder of the other one lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lamella.errors import ImageError
from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.layer.protocols import LayerTar
from lamella.merge.difference import difference_of, regrouped
from lamella.merge.emit import PlanTar
from lamella.merge.gc_pause import collector_paused
from lamella.merge.plan import Plan, make_plan
from lamella.operations.ignoring import Ignoring
from lamella.operations.pairs import Pair
from lamella.rootfs import HARD_LINK_OF, Difference, compare_rootfs, read_rootfs

__all__ = ["PlannedDelta", "both_stacks", "plan_delta", "prove_delta", "with_layers"]


@dataclass(frozen=True)
class PlannedDelta:
    """The layer that makes an image out of another."""

    tars: Mapping[int, LayerTar]
    """By position: those that it is made of."""
    plan: Plan | None
    """None: they have the same files."""
    ignored: Mapping[str, int]
    """By word, how many differences the layer leaves out."""


def plan_delta(pair: Pair, ignoring: Ignoring) -> PlannedDelta:
    """Plan the layer that, laid over the first image, makes the files of the second.

    Raises:
        Unsupported: a file can't be said so that all engines understand it.
        ImageError: a layer is damaged.
    """
    old, new = pair.files
    tars = dict(enumerate(old.tars))
    with collector_paused():
        differences, ignored = ignoring.split(compare_rootfs(old, new))
        if not differences:
            return PlannedDelta(tars, None, ignored)
        changed = {one.path for one in differences if _is_own(one)}
        changed |= regrouped((new.tree, new.groups), (old.tree, old.groups), changed)
        difference = difference_of(new.tree, old.tree, changed)
        plan = make_plan(difference, pair.changesets)
    return PlannedDelta(tars, plan, ignored)


def _is_own(difference: Difference) -> bool:
    """Whether a difference is one of the path itself, and not of the file's other names."""
    return difference.what != HARD_LINK_OF


def prove_delta(pair: Pair, planned: PlannedDelta, ignoring: Ignoring) -> None:
    """Read the new layer over the old ones as any reader would, and compare with the new image.

    Raises:
        ImageError: they differ, which would be a fault of lamella; nothing is published then.
    """
    if planned.plan is None:
        return
    layers = [planned.tars[position] for position in range(len(pair.images[0].layers))]
    made = read_rootfs([*layers, PlanTar(planned.plan, planned.tars)])
    found, _ = ignoring.split(compare_rootfs(pair.files[1], made))
    if found:
        raise ImageError(f"`check`: {len(found)} differences, nothing was published; {found[0]}")


def both_stacks(old: Image, new: Image, above: Sequence[Layer]) -> tuple[Image, range]:
    """Return an image with the layers of both, and the positions of those that the delta replaces.

    Args:
        old: the image whose layers stay.
        new: the other one.
        above: its layers, but for those that both begin with.
    """
    # Where the new image is but the lower part of the old one, a layer is made all the same.
    layers = (*old.layers, *(above or old.layers[-1:]))
    return with_layers(new, layers), range(len(old.layers), len(layers))


def with_layers(image: Image, layers: tuple[Layer, ...]) -> Image:
    """Return an image with other layers, without a history."""
    diff_ids = tuple(layer.diff_id for layer in layers)
    value = {key: field for key, field in image.config.value.items() if key != "history"}
    value["rootfs"] = {**value["rootfs"], "diff_ids": list(map(str, diff_ids))}
    config = replace(image.config, value=value, diff_ids=diff_ids, history=None)
    return replace(image, config=config, layers=layers)
