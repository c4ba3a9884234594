"""Calls about two images, as `lamella.api` has those about one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack

from lamella.errors import UsageError
from lamella.layer.compression import Compression
from lamella.operations.delta_index import delta_every_platform
from lamella.operations.delta_job import DeltaJob, DeltaRequest
from lamella.operations.delta_result import DeltaResult
from lamella.operations.diff import DiffRequest, ImageDiff, diff_images
from lamella.operations.ignoring import Ignoring
from lamella.operations.request import (
    Layers,
    Name,
    compression_of,
    platform_of,
    range_texts,
    reference_text,
)
from lamella.operations.target import target_of
from lamella.restate.changes import texts_of
from lamella.spec.platform import Platform
from lamella.transport.environment import Environment, used
from lamella.transport.file.location import parse_file
from lamella.transport.location import Location
from lamella.transport.transports import locate

__all__ = ["delta", "diff"]

_MAY_STAY = "mtime"
"""What a delta may leave as it was."""


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


def delta(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    old: Name,
    new: Name,
    tag: str | Sequence[str] = (),
    *,
    output: Name | None = None,
    archive: Name | None = None,
    platform: str | Platform | None = None,
    compression: str | Compression | None = None,
    ignore: str | Sequence[str] = (),
    check: bool = False,
    dry_run: bool = False,
    env: Environment | None = None,
) -> DeltaResult:
    """Write an image as the layers of another one and a layer with all that is different.

    Args:
        old: reference of the image whose layers it has.
        new: reference of the image that it is to be: same files, same config.
        tag: names of the image.
        output: where it goes; None: where `old` is.
        archive: in place of `output`, a file that has only what an engine with `old` lacks.
        platform: ``OS/ARCH[/VARIANT]``, of images for several; ``all``: a delta for each image of
            `new`, and a new index.
        compression: of the new layer, as for `squash`.
        ignore: ``mtime``: files that differ in their time alone stay as they were.
        check: prove that the files are the same, but for what is ignored, before anything is
            published.
        dry_run: only plan.
        env: temporary folder, progress, streams, how to reach engines and registries.

    Raises:
        UsageError: the request makes no sense.
        ImageError: an image is malformed, or a file can't be said so that all engines read it.
        OutputError: the result can't be written.
        EngineError: an engine or a registry failed.
    """
    ignoring = Ignoring.parse(ignore)
    for word in ignoring.words:
        if word != _MAY_STAY:
            raise UsageError(f"`ignore` {word}: expected {_MAY_STAY}, nothing else can stay")
    if archive is not None and output is not None:
        raise UsageError("`archive` and `output` are two places; give one")
    packing = compression_of(compression)
    with used(env) as world, ExitStack() as stack:
        place = locate(reference_text(old), world)
        target: Location
        if archive is not None:
            target = parse_file("delta-archive", reference_text(archive))
        else:
            target = target_of(place, output, dry_run=dry_run)
        target, tags = target.named(texts_of(tag))
        request = DeltaRequest(
            place,
            locate(reference_text(new), world),
            target,
            tags,
            None if platform == "all" else platform_of(platform),
            packing or None,
            ignoring,
            check,
            dry_run,
        )
        if platform == "all":
            return delta_every_platform(request, world, stack)
        return DeltaJob(request, world, stack).run()
