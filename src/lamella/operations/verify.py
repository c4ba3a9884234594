"""Whether two images are the same: one of each, or all of two indexes, platform by platform."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from lamella.errors import UsageError
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.merge.edits import NO_EDITS, Edits
from lamella.rootfs import Difference, compare_configs, compare_rootfs, read_rootfs
from lamella.spec.platform import Platform
from lamella.transport.base import Source, fetch_all
from lamella.transport.environment import Environment
from lamella.transport.index import HasIndex, images_of
from lamella.transport.transports import locate, parse_location

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
        one, other = _open(names, platform, env, stack)
        return _compare(one, other, env, edits)


def compare_platforms(
    names: tuple[str, str], env: Environment, edits: Edits = NO_EDITS
) -> list[Difference]:
    """Compare all images of two indexes; a platform that only one has is a difference.

    Raises:
        LamellaError: as `compare_images`.
    """
    with ExitStack() as stack:
        opened = _open(names, None, env, stack)
        ours, theirs = map(_by_platform, opened, names)
        found: list[Difference] = []
        for platform in dict.fromkeys([*ours, *theirs]):
            mine, other = ours.get(platform), theirs.get(platform)
            if mine is None or other is None:
                has = ("present" if mine else "missing", "present" if other else "missing")
                found.append(Difference(b"", "image", *has, platform))
            else:
                found += [replace(d, platform=platform) for d in _compare(mine, other, env, edits)]
        return found


def _open(
    names: tuple[str, str], platform: Platform | None, env: Environment, stack: ExitStack
) -> list[Source]:
    if all(parse_location(name).is_stream for name in names):
        raise UsageError("only one of two images can come through standard input")
    located = [locate(name, env) for name in names]
    return [stack.enter_context(one.open_source(platform, env)) for one in located]


def _by_platform(source: Source, name: str) -> dict[str, Source]:
    """Return the images of an index; those that it lists, and that are not there, are left out."""
    if not isinstance(source, HasIndex) or (index := source.index()) is None:
        return {str(Platform.of(source.describe().config.value)): source}
    images: dict[str, Source] = {}
    for descriptor in images_of(index, source.nested, name):
        image = source.image_of(descriptor)
        if image is not None:
            images[str(Platform.of(descriptor.platform))] = image
    return images


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
