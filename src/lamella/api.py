"""lamella in four calls: `squash`, `open_image`, `analyze`, `verify`.

    >>> import lamella
    >>> result = lamella.squash("docker-archive:app.tar", last=2, output="docker-archive:slim.tar")
    >>> result.layers_after
    2

Everything is an argument: nothing here reads the environment, prints, or asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from lamella.environment import Environment, in_engine, locate, open_source
from lamella.errors import ImageError, UsageError
from lamella.image import Image
from lamella.layer.compression import Compression
from lamella.layer.spool import Spool
from lamella.operations.request import Request
from lamella.operations.result import Result
from lamella.operations.squash import Job
from lamella.rewrite import HistoryMode, Wording
from lamella.spec.platform import Platform
from lamella.spec.reference import Reference
from lamella.transport.location import Location, parse_location
from lamella.transport.registry import RegistryName

if TYPE_CHECKING:
    from lamella.analysis.model import Analysis
    from lamella.layer_list import Line
    from lamella.operations.analyze import Explored
    from lamella.rootfs import Difference

__all__ = [
    "Environment",
    "Result",
    "analyze",
    "explore",
    "image_names",
    "open_image",
    "open_layers",
    "squash",
    "verify",
]

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def squash(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    image: str,
    base: str | None = None,
    tag: str | Sequence[str] = (),
    *,
    last: int | None = None,
    layers: Sequence[str] = (),
    max_layers: int | None = None,
    auto: bool = False,
    include_base: bool = False,
    output: str | None = None,
    platform: str | None = None,
    compression: str | None = None,
    message: str = "",
    history: HistoryMode = "merge",
    created: str | None = None,
    check: bool = False,
    dry_run: bool = False,
    cleanup: bool = False,
    env: Environment | None = None,
) -> Result:
    """Merge layers of an image into one and write the new image.

    Args:
        image: reference of the source, as in docs/cli.md.
        base: squash what is above this: an image name or ID, a layer ID or ``#N``.
        tag: names of the new image.
        last: squash so many of the newest layers.
        layers: squash these ranges, ``"A-B"`` from 1. Without any choice all layers are squashed.
        max_layers: squash what brings the image to so many layers at the least cost.
        auto: squash the fewest layers whose merging removes every dead byte.
        include_base: with `auto`, also layers that other images of the same engine use.
        output: where the new image goes; None: where `image` came from.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several; ``all``: every one of them, and
            the index is written anew.
        compression: of new layers, ``gzip``, ``zstd`` or ``none``, with ``:LEVEL``; None: what the
            destination wants.
        message: comment in the merged layer's history entry.
        history: ``merge`` or ``keep`` the squashed layers' history entries.
        created: RFC 3339 time of the new image; None: the source's.
        check: prove that both images have the same file system before anything is published.
        dry_run: only plan.
        cleanup: remove the source image from its engine afterwards.
        env: temporary folder, progress, streams, how to reach engines.

    Returns:
        Facts of what was done. When there was nothing to squash the image is written as it is.

    Raises:
        UsageError: the request makes no sense.
        ImageError: the image is malformed, or can't be squashed as asked.
        OutputError: the result can't be written.
        EngineError: an engine failed.
    """
    env = env or Environment()
    _check_time(created)
    location = locate(image, env)
    tags = (tag,) if isinstance(tag, str) else tuple(tag)
    target, tags = _target(location, output, tags, dry_run=dry_run)
    every = platform == "all"
    request = Request(
        location,
        target,
        base=base,
        last=last,
        ranges=tuple(layers),
        max_layers=max_layers,
        auto=auto,
        include_base=include_base,
        tags=tags,
        platform=None if every else _platform(platform),
        compression=Compression.parse(compression) if compression else None,
        wording=Wording(history, message, created),
        check=check,
        dry_run=dry_run,
        cleanup=cleanup,
    )
    with ExitStack() as stack:
        if every:
            from lamella.operations.squash_index import squash_every_platform  # noqa: PLC0415 - few ask for it

            return squash_every_platform(request, env, stack)
        return Job(request, env, stack).run()


def _platform(text: str | None) -> Platform | None:
    if text == "all":
        raise UsageError("--platform all: want one platform here, like linux/arm64")
    return Platform.parse(text) if text else None


def _check_time(created: str | None) -> None:
    """See to it that every engine can read the time: strict RFC 3339."""
    if created is None or (_RFC3339.fullmatch(created) and _is_date(created)):
        return
    raise UsageError(f"--created {created!r}: want source, now or a time like 2026-01-31T12:00:00Z")


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _target(
    location: Location, output: str | None, tags: tuple[str, ...], *, dry_run: bool
) -> tuple[Location, tuple[str, ...]]:
    """Return where the new image goes and what it is to be called; names are checked here."""
    if output is not None:
        target = parse_location(output, output=True)
    elif location.transport == "docker":
        target = location
    elif in_engine(location) or dry_run:
        home = {"plain": "docker-daemon"}.get(location.transport, location.transport)
        target = Location(home if in_engine(location) else "plain", "")
    elif location.path == "-":
        target = Location("docker-archive", "-")
    else:
        raise UsageError(
            f"where to? {location} is a file; give -o with a reference like docker-archive:FILE"
        )
    if target.transport == "docker":
        return _registry_target(target, tags, named=output is not None)
    if target.path and in_engine(target):
        tags = (target.path, *tags)
    elif target.transport == "docker-archive" and target.tag:
        Reference.parse_tag(target.tag)
    for name in tags:
        Reference.parse_tag(name)
    return target, tags


def _registry_target(
    target: Location, tags: tuple[str, ...], *, named: bool
) -> tuple[Location, tuple[str, ...]]:
    """Return the repository that takes the image, and whole names for it, all of that repository.

    Args:
        target: a name there: of the output if `named`, else of the source.
        tags: further names; those without a registry are of the target's.
        named: whether the target's own name is given to the image, too.
    """
    home = RegistryName.parse(str(target))
    names = [home] if named else []
    names += [RegistryName.parse_tag(tag, host=home.host) for tag in tags]
    if names:
        home = names[0]
    for name in names:
        if name.whole_repository != home.whole_repository:
            raise UsageError(
                f"{name} is in another repository than {home}; squash to one after the other"
            )
    path = str(home) if names else home.whole_repository
    return Location("docker", path), tuple(str(name) for name in names)


@contextmanager
def open_image(
    reference: str, *, platform: str | None = None, env: Environment | None = None
) -> Iterator[Image]:
    """Open an image to look at it; its layers can be read inside the ``with`` block.

    Raises:
        LamellaError: there is no such image, or it is malformed.
    """
    env = env or Environment()
    wanted = _platform(platform)
    with open_source(locate(reference, env), wanted, Spool(env.tmp_dir), env) as source:
        yield source.describe()


@contextmanager
def open_layers(
    reference: str,
    *,
    platform: str | None = None,
    tags: bool = False,
    dead: bool | None = False,
    env: Environment | None = None,
) -> Iterator[tuple[Image, list[Line]]]:
    """Open an image and list its layers.

    Args:
        reference: of the image.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several.
        tags: tell the local tags of each.
        dead: tell which part of each is dead; None: if that can be seen at once.
        env: temporary folder, progress, streams, how to reach engines.

    Raises:
        LamellaError: there is no such image, or it is malformed.
    """
    from lamella.layer_list import layer_lines  # noqa: PLC0415 - as below

    env = env or Environment()
    wanted = _platform(platform)
    with open_source(locate(reference, env), wanted, Spool(env.tmp_dir), env) as source:
        image = source.describe()
        known = source.tags_by_chain() if tags else None
        if image.history_gap:
            env.progress.note(image.history_gap)
        lines = layer_lines(image, known)
        if dead is not False:
            from lamella.operations.analyze import is_all_near, with_dead_shares  # noqa: PLC0415 - as below

            # What nobody asked for must not be in the way of what was asked for.
            with suppress(*() if dead else (ImageError,)):
                if dead or is_all_near(image):
                    lines = with_dead_shares(source, lines, env)
        yield image, lines


def analyze(
    image: str,
    *,
    platform: str | None = None,
    secrets: bool = True,
    env: Environment | None = None,
) -> Analysis:
    """Tell what an image's bytes are spent on, and what each squash of it would bring.

    Args:
        image: its reference.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several.
        secrets: whether to look for files that should not be in a layer.
        env: temporary folder, progress, streams, how to reach engines.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    from lamella.operations.analyze import analyze_source  # noqa: PLC0415 - a squash needs none of it

    return analyze_source(image, _platform(platform), env or Environment(), secrets=secrets)


def explore(image: str, *, platform: str | None = None, env: Environment | None = None) -> Explored:
    """Analyze an image for one who will walk through it, as `lamella explore` does.

    Args:
        image: its reference.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several.
        env: temporary folder, progress, streams, how to reach engines.

    Raises:
        LamellaError: there is no such image, it can't be read, or it is malformed.
    """
    from lamella.operations.analyze import explore_source  # noqa: PLC0415 - as above

    return explore_source(image, _platform(platform), env or Environment())


def verify(
    ours: str, theirs: str, *, platform: str | None = None, env: Environment | None = None
) -> list[Difference]:
    """Compare two images: file systems in every attribute, and configs.

    Args:
        ours: reference of one image.
        theirs: reference of the other.
        platform: ``OS/ARCH[/VARIANT]``, of images for several; ``all``: every one of them.
        env: temporary folder, progress, streams, how to reach engines.

    Returns:
        What differs, by path; empty if nothing does. Left out of the configs: ``rootfs``,
        ``history`` and ``created``, which a squash has to change.

    Raises:
        LamellaError: one of them can't be read, or is malformed.
    """
    from lamella.operations.verify import compare_images, compare_platforms  # noqa: PLC0415 - as above

    env = env or Environment()
    if platform == "all":
        return compare_platforms((ours, theirs), env)
    return compare_images((ours, theirs), _platform(platform), env)


def image_names(env: Environment | None = None) -> list[str]:
    """List what the Docker engine calls its images, newest first.

    Raises:
        EngineError: there is none, or it broke off.
    """
    from lamella.transport.engine.connect import connect  # noqa: PLC0415 - for completion: few need it

    env = env or Environment()
    client = connect(env.engine)
    try:
        named = (name for image in client.images() for name in image.get("RepoTags") or ())
        return [name for name in named if name != "<none>:<none>"]
    finally:
        client.close()
