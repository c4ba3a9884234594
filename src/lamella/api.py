"""lamella in a few calls: `squash`, `open_image`, `analyze`, `verify`.

    >>> import lamella
    >>> result = lamella.squash("docker-archive:app.tar", last=2, output="docker-archive:slim.tar")
    >>> result.layers_after
    2

What a call needs from the world is its `env`; without one it is what the environment variables say.
Nothing here prints, or asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from lamella.errors import ImageError
from lamella.image import Image
from lamella.layer.compression import Compression
from lamella.operations.created import created_text
from lamella.operations.editing import allow_texts, edits_of
from lamella.operations.request import (
    Layers,
    Name,
    Request,
    compression_of,
    platform_of,
    range_texts,
    reference_text,
)
from lamella.operations.result import Result
from lamella.operations.squash import Job
from lamella.operations.target import target_of
from lamella.restate.changes import Changes, texts_of
from lamella.rewrite import HistoryMode, Wording
from lamella.spec.platform import Platform
from lamella.transport.environment import Environment, used
from lamella.transport.transports import locate

if TYPE_CHECKING:
    from lamella.analysis.compare import Comparison
    from lamella.analysis.model import Analysis
    from lamella.inside.image import OpenImage
    from lamella.layer_list import LayerLine
    from lamella.operations.analyze import Explored
    from lamella.rootfs import Difference

__all__ = [
    "Environment",
    "Result",
    "analyze",
    "compare",
    "explore",
    "image_names",
    "open_image",
    "open_layers",
    "squash",
    "verify",
]


def squash(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    image: Name,
    base: Name | None = None,
    tag: str | Sequence[str] = (),
    *,
    last: int | None = None,
    layers: Layers = (),
    max_layers: int | None = None,
    auto: bool = False,
    include_base: bool = False,
    output: Name | None = None,
    platform: str | Platform | None = None,
    compression: str | Compression | None = None,
    message: str = "",
    history: HistoryMode = "merge",
    created: datetime | str | None = None,
    annotations: Mapping[str, str] | None = None,
    change: str | Sequence[str] = (),
    unset_env: str | Sequence[str] = (),
    unset_label: str | Sequence[str] = (),
    redact: bool = False,
    redact_names: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    remove_secrets: bool = False,
    allow: str | Sequence[str] = (),
    clamp_mtime: datetime | str | None = None,
    max_layer_size: int | None = None,
    into: int | None = None,
    check: bool = False,
    referrers: Literal["copy", "drop"] | None = None,
    dry_run: bool | Literal["sizes"] = False,
    cleanup: bool = False,
    env: Environment | None = None,
) -> Result:
    """Merge layers of an image into one and write the new image.

    Args:
        image: reference of the source, as in docs/cli.md, or the path of a file or a layout.
        base: squash what is above this: an image name or ID, a layer's ID or number.
        tag: names of the new image.
        last: squash so many of the newest layers.
        layers: squash these ranges: ``"A-B"``, numbered from 1, or a `range` of positions in
            ``image.layers``. Without any choice all layers are squashed.
        max_layers: squash what brings the image to so many layers at the least cost.
        auto: squash the fewest layers whose merging removes every dead byte.
        include_base: with `auto`, also the base: layers that other images of the same engine use,
            and what the history says is older.
        output: where the new image goes; None: where `image` came from.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several; ``all``: every one of them, and
            a new index is written.
        compression: of new layers, ``gzip``, ``zstd`` or ``none``, with ``:LEVEL``; None: what the
            destination wants.
        message: comment in the merged layer's history entry.
        history: ``merge`` or ``keep`` the squashed layers' history entries; ``drop``: entries of
            all layers tell nothing.
        created: time of the new image, with a time zone, as a value or in RFC 3339; ``now``;
            ``source``; None: what `env` says, else the source's.
        annotations: are added to each new manifest and to the index; keys that begin with
            ``manifest:`` or ``index:`` to one of both.
        change: instructions as of a Dockerfile that change the config; docs/cli.md lists them.
        unset_env: names of variables that the new image is not to have.
        unset_label: the same of labels.
        redact: replace what looks like a secret in config, history and annotations by ``***``.
        redact_names: the same for what has one of these names.
        exclude: patterns, as in ``.dockerignore``, of paths that the new image is not to have. A
            layer of a range is written again even if it is the only one, where it has such a path.
        remove_secrets: leave out files of the squashed layers that `analyze` takes for secrets.
            Those of kept layers are told. All layers are read.
        allow: lines that say what is no secret, as in the file of ``--allow``; docs/cli.md.
        clamp_mtime: no entry of a merged layer has a later time: a value, RFC 3339, or
            ``SOURCE_DATE_EPOCH`` for what `env` says.
        max_layer_size: cut new layers so that none is stored larger than so many bytes.
        into: cut each new layer into so many.
        check: prove that both images have the same file system, but for what is asked for, before
            anything is published.
        referrers: what is attached to the image in a registry or an OCI layout: ``copy`` attaches
            SBOMs to the new image, too, with `check`; ``drop`` only tells what there is.
        dry_run: only plan; ``sizes``: without the reasons why bytes are gone (`dropped`), so that
            only headers of layers are read, and of those that are remembered not even these.
        cleanup: remove the source image from its engine afterwards.
        env: folder, progress, streams, engines and registries; None: `Environment.from_env`.

    Returns:
        Facts of what was done. When there was nothing to squash the image is written as it is.

    Raises:
        UsageError: the request makes no sense.
        ImageError: the image is malformed, or can't be squashed as asked.
        OutputError: the result can't be written.
        EngineError: an engine or a registry failed.
        Cancelled: another thread wanted it to end.
    """
    with used(env) as world, ExitStack() as stack:
        location = locate(reference_text(image), world)
        target, tags = target_of(location, output, dry_run=bool(dry_run)).named(texts_of(tag))
        request = Request(
            location,
            target,
            base=None if base is None else reference_text(base),
            last=last,
            ranges=range_texts(layers),
            max_layers=max_layers,
            auto=auto,
            include_base=include_base,
            tags=tags,
            platform=None if platform == "all" else platform_of(platform),
            compression=compression_of(compression),
            wording=Wording(history, message, created_text(created, world.source_date_epoch)),
            annotations=annotations or {},
            changes=Changes.parse(change, unset_env, unset_label, redact_names, redact=redact),
            remove_secrets=remove_secrets,
            allow=allow_texts(allow),
            edits=edits_of(exclude, clamp_mtime, world.source_date_epoch),
            max_layer_size=max_layer_size,
            into=into,
            check=check,
            referrers=referrers,
            dry_run=bool(dry_run),
            sizes_only=dry_run == "sizes",
            cleanup=cleanup,
        )
        return _run(request, world, stack, every=platform == "all")


def _run(request: Request, world: Environment, stack: ExitStack, *, every: bool) -> Result:
    if not every:
        return Job(request, world, stack).run()
    from lamella.operations.squash_index import squash_every_platform  # noqa: PLC0415 - few ask for it

    return squash_every_platform(request, world, stack)


@contextmanager
def open_image(
    image: Name, *, platform: str | Platform | None = None, env: Environment | None = None
) -> Iterator[OpenImage]:
    """Open an image to look at it and into it, inside the ``with`` block.

    Args:
        image: its reference, or the path of a file or a layout.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several.
        env: as for `squash`.

    Raises:
        LamellaError: there is no such image, or it is malformed.
    """
    from lamella.inside.image import open_inside  # noqa: PLC0415 - as below

    with used(env) as world:
        location = locate(reference_text(image), world)
        source = location.open_source(platform_of(platform), world)
        with source as opened, open_inside(opened, world.spool) as inside:
            yield inside


@contextmanager
def open_layers(
    image: Name,
    *,
    platform: str | Platform | None = None,
    tags: bool = False,
    dead: bool | None = False,
    env: Environment | None = None,
) -> Iterator[tuple[Image, list[LayerLine]]]:
    """Open an image and list its layers.

    Args:
        image: its reference.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several.
        tags: tell the local tags of each.
        dead: tell which part of each is dead; None: if that can be seen at once.
        env: temporary folder, progress, streams, how to reach engines.

    Raises:
        LamellaError: there is no such image, or it is malformed.
    """
    from lamella.layer_list import layer_lines  # noqa: PLC0415 - as below

    with used(env) as world:
        location = locate(reference_text(image), world)
        with location.open_source(platform_of(platform), world) as source:
            described = source.describe()
            known = source.tags_by_chain() if tags else None
            if described.history_gap:
                world.progress.note(described.history_gap)
            lines = layer_lines(described, known)
            if dead is not False:
                from lamella.operations.analyze import is_all_near, with_dead_shares  # noqa: PLC0415 - as below

                # A failure of what was not asked for must not stop what was asked for.
                with suppress(*() if dead else (ImageError,)):
                    if dead or is_all_near(described):
                        lines = with_dead_shares(source, lines, world)
            yield described, lines


def analyze(
    image: Name,
    *,
    platform: str | Platform | None = None,
    secrets: bool = True,
    allow: str | Sequence[str] = (),
    env: Environment | None = None,
) -> Analysis:
    """Show where the bytes of an image go, and what each squash of it would save.

    Args:
        image: its reference.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several.
        secrets: whether to look for what should not be in a layer or in the config.
        allow: lines that say what is no secret, as in the file of ``--allow``; docs/cli.md.
        env: temporary folder, progress, streams, how to reach engines.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    from lamella.operations.analyze import analyze_source  # noqa: PLC0415 - a squash needs none of it

    with used(env) as world:
        none = allow_texts(allow)
        return analyze_source(
            reference_text(image), platform_of(platform), world, secrets=secrets, allow=none
        )


def compare(  # noqa: PLR0913 - two images, and all that `analyze` is asked for
    a: Name,
    b: Name,
    *,
    platform: str | Platform | None = None,
    secrets: bool = True,
    allow: str | Sequence[str] = (),
    env: Environment | None = None,
) -> Comparison:
    """Analyze two images, and tell what only one of them has.

    Args:
        a: the reference of one.
        b: that of the other.
        platform: ``OS/ARCH[/VARIANT]``, of images for several.
        secrets: whether to look for what should not be in a layer or in the config.
        allow: lines that say what is no secret, as in the file of ``--allow``; docs/cli.md.
        env: temporary folder, progress, streams, how to reach engines.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    from lamella.operations.analyze import compare_sources  # noqa: PLC0415 - a squash needs none of it

    with used(env) as world:
        both, none = (reference_text(a), reference_text(b)), allow_texts(allow)
        return compare_sources(*both, platform_of(platform), world, secrets=secrets, allow=none)


@contextmanager
def explore(
    image: Name, *, platform: str | Platform | None = None, env: Environment | None = None
) -> Iterator[Explored]:
    """Analyze an image for one who will walk through it, as `lamella explore` does.

    Its files can be read inside the ``with`` block.

    Args:
        image: its reference.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several.
        env: temporary folder, progress, streams, how to reach engines.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    from lamella.operations.analyze import explore_source  # noqa: PLC0415 - as above

    with (
        used(env) as world,
        explore_source(reference_text(image), platform_of(platform), world) as explored,
    ):
        yield explored


def verify(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    ours: Name,
    theirs: Name,
    *,
    platform: str | Platform | None = None,
    ignore: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    clamp_mtime: datetime | str | None = None,
    env: Environment | None = None,
) -> list[Difference]:
    """Compare two images: file systems in every attribute, and configs.

    Args:
        ours: reference of one image.
        theirs: reference of the other.
        platform: ``OS/ARCH[/VARIANT]``, of images for several; ``all``: every one of them.
        ignore: differences that do not count: ``mode``, ``owner``, ``mtime``, ``xattr``,
            ``config``, or a field of it such as ``config.Env.PATH``.
        exclude: patterns, as for `squash`: `theirs` is not to have these paths.
        clamp_mtime: as for `squash`: no entry of a layer that `theirs` has anew is later.
        env: temporary folder, progress, streams, how to reach engines.

    Returns:
        What differs, by path; empty if nothing does. Left out of the configs: ``rootfs``,
        ``history`` and ``created``, which a squash has to change.

    Raises:
        UsageError: `ignore`, `exclude` or `clamp_mtime` make no sense.
        LamellaError: one of them can't be read, or is malformed.
    """
    from lamella.operations.ignoring import Ignoring  # noqa: PLC0415 - as above
    from lamella.operations.verify import compare_images, compare_platforms  # noqa: PLC0415 - as above

    names = reference_text(ours), reference_text(theirs)
    ignoring = Ignoring.parse(ignore)
    with used(env) as world:
        edits = edits_of(exclude, clamp_mtime, world.source_date_epoch)
        if platform == "all":
            found = compare_platforms(names, world, edits)
        else:
            found = compare_images(names, platform_of(platform), world, edits)
    return ignoring.split(found)[0]


def image_names(env: Environment | None = None) -> list[str]:
    """List what the Docker engine calls its images, newest first.

    Raises:
        EngineError: there is none, or it broke off.
    """
    from lamella.transport.engine.connect import client_of  # noqa: PLC0415 - for completion: few need it

    with used(env) as world:
        client = client_of(world.engine, world)
        named = (name for image in client.images() for name in image.get("RepoTags") or ())
        return [name for name in named if name != "<none>:<none>"]
