"""Calls about two images, as `lamella.api` has those about one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lamella.operations.diff import DiffRequest, ImageDiff, diff_images
from lamella.operations.ignoring import Ignoring
from lamella.operations.request import Layers, Name, platform_of, range_texts, reference_text
from lamella.spec.platform import Platform
from lamella.transport.environment import Environment, used

__all__ = ["diff"]


def diff(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    a: Name,
    b: Name | None = None,
    *,
    layers: Layers = (),
    platform: str | Platform | None = None,
    ignore: str | Sequence[str] = (),
    contents: Sequence[str | bytes] = (),
    env: Environment | None = None,
) -> ImageDiff:
    """Find out what changed from one image to another, or what some layers of one changed.

    Args:
        a: reference of the first image.
        b: reference of the second; None: `layers` says what is compared.
        layers: a range, as for `squash`: what these layers of the first image changed.
        platform: ``OS/ARCH[/VARIANT]``, of images for several; ``all``: every one of them.
        ignore: as for `verify`.
        contents: paths of small text files whose content is wanted, too.
        env: temporary folder, progress, streams, how to reach engines.

    Raises:
        UsageError: `layers` or `ignore` make no sense, or neither image has one of `contents`.
        LamellaError: one of them can't be read, or is malformed.
    """
    request = DiffRequest(
        (reference_text(a), "" if b is None else reference_text(b)),
        range_texts(layers),
        None if platform == "all" else platform_of(platform),
        platform == "all",
        Ignoring.parse(ignore),
        tuple(os.fsencode(path) for path in contents),
    )
    with used(env) as world:
        return diff_images(request, world)
