"""Whether two images are the same: one of each, or all of two indexes, platform by platform."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.merge.edits import NO_EDITS, Edits
from lamella.operations.pairs import locate_pair, open_pair, platform_pairs
from lamella.rootfs import Difference, compare_configs, compare_rootfs, read_rootfs
from lamella.spec.platform import Platform
from lamella.transport.base import Source, fetch_all
from lamella.transport.environment import Environment

__all__ = ["compare_images", "compare_platforms"]


def compare_images(
    names: tuple[str, str],
    platform: Platform | None,
    env: Environment,
    edits: Edits = NO_EDITS,
) -> list[Difference]:
    """Compare two images: file systems in every attribute, and configs.

    Args:
        names: references of both.
        platform: of images for several.
        env: how to reach them.
        edits: what the second is to have otherwise than the first.

    Raises:
        LamellaError: one of them can't be read, or is malformed.
    """
    with ExitStack() as stack:
        one, other = open_pair(locate_pair(names, env), platform, env, stack)
        return _compare(one, other, env, edits)


def compare_platforms(
    names: tuple[str, str], env: Environment, edits: Edits = NO_EDITS
) -> list[Difference]:
    """Compare all images of two indexes; a platform that only one has is a difference.

    Raises:
        LamellaError: as `compare_images`.
    """
    with ExitStack() as stack:
        opened = open_pair(locate_pair(names, env), None, env, stack)
        found: list[Difference] = []
        for platform, mine, other in platform_pairs(opened, names):
            if mine is None or other is None:
                found.append(only_one(platform, mine))
            else:
                found += [replace(d, platform=platform) for d in _compare(mine, other, env, edits)]
        return found


def only_one(platform: str, ours: Source | None) -> Difference:
    """Return the difference that only one of two indexes has an image of a platform."""
    has = ("present", "missing") if ours else ("missing", "present")
    return Difference(b"", "image", *has, platform)


def _compare(one: Source, other: Source, env: Environment, edits: Edits) -> list[Difference]:
    with LayerOpener(env.spool) as opener:
        images = [fetch_all(source) for source in (one, other)]
        found = [*compare_configs(*images), *_compare_files(images, opener, edits)]
        opener.verify()
        return found


def _compare_files(images: Sequence[Image], opener: LayerOpener, edits: Edits) -> list[Difference]:
    with opener.explaining():
        ours, theirs = (read_rootfs(opener.open(image.layers)) for image in images)
    if not edits.is_none:
        # A layer that both have was kept: the edits are not about its entries.
        kept = frozenset(images[1].diff_ids)
        changed = {p for p, diff_id in enumerate(images[0].diff_ids) if diff_id not in kept}
        ours = ours.edited(edits, changed)
    return list(compare_rootfs(ours, theirs))
