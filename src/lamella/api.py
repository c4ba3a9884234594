"""lamella in three calls: `squash`, `open_image`, `verify`.

    >>> import lamella
    >>> result = lamella.squash("docker-archive:app.tar", last=2, output="docker-archive:slim.tar")
    >>> result.layers_after
    2

Everything is an argument: nothing here reads the environment, prints, or asks.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from lamella.errors import (
    ImageError,
    ImageNotFound,
    MalformedImage,
    MalformedTar,
    UnknownLayer,
    UsageError,
)
from lamella.image import Image
from lamella.layer.compression import Compression
from lamella.layer.spool import Layers, LayerTar, Spool
from lamella.mutate import HistoryMode, Wording, new_manifest
from lamella.progress import SILENT, Progress
from lamella.report.layers import Line, layer_lines
from lamella.result import Result, SquashedRange
from lamella.rootfs import Difference, compare_configs, compare_rootfs, read_rootfs
from lamella.selection import Selection, select, select_above_image
from lamella.spec.platform import Platform
from lamella.spec.reference import Reference
from lamella.squash import Prepared, Written, prepare, write
from lamella.transport.base import Destination, Source
from lamella.transport.engine import EngineDestination, EngineOptions, EngineSource
from lamella.transport.local import FileDestination, FileSource
from lamella.transport.names import Location, parse_location

__all__ = ["Environment", "open_image", "open_layers", "squash", "verify"]


@dataclass(frozen=True)
class Environment:
    """What a call needs from the world around it."""

    tmp_dir: str | None = None
    """Where spooled layers go; None: the system's place."""
    progress: Progress = SILENT
    stdin: BinaryIO = field(default_factory=io.BytesIO)
    stdout: BinaryIO = field(default_factory=io.BytesIO)
    engine: EngineOptions = field(default_factory=EngineOptions)


@dataclass(frozen=True)
class Request:
    """What `squash` is asked for, checked before any work."""

    location: Location
    output: Location
    base: str | None
    last: int | None
    ranges: tuple[str, ...]
    tags: tuple[str, ...]
    platform: Platform | None
    compression: Compression | None


def squash(  # noqa: PLR0913 - one parameter for each thing a user can ask for
    image: str,
    base: str | None = None,
    tag: str | Sequence[str] = (),
    *,
    last: int | None = None,
    layers: Sequence[str] = (),
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
        output: where the new image goes; None: where `image` came from.
        platform: ``OS/ARCH[/VARIANT]``, of an image for several.
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
    tags = (tag,) if isinstance(tag, str) else tuple(tag)
    request = _check_request(image, base, tags, last, tuple(layers), output, platform, compression)
    wording = Wording(history, message, created)
    with ExitStack() as stack:
        run = _Run(request, env, stack)
        selection = run.select()
        if dry_run:
            return run.dry(selection)
        return run.squash(selection, wording, check=check, cleanup=cleanup)


def _check_request(  # noqa: PLR0913 - see `squash`
    image: str,
    base: str | None,
    tags: tuple[str, ...],
    last: int | None,
    ranges: tuple[str, ...],
    output: str | None,
    platform: str | None,
    compression: str | None,
) -> Request:
    location = parse_location(image)
    if output is not None:
        target = parse_location(output, output=True)
    elif location.transport in {"plain", "docker-daemon"}:
        target = Location("docker-daemon", "")
    elif location.path == "-":
        target = Location("docker-archive", "-")
    else:
        raise UsageError(f"where to? give -o with a reference, e.g. -o docker-archive:FILE ({image} is a file)")
    for name in tags:
        Reference.parse_tag(name)
    if target.path and target.transport in {"plain", "docker-daemon"}:
        tags = (target.path, *tags)
        Reference.parse_tag(target.path)
    return Request(
        location,
        target,
        base,
        last,
        ranges,
        tags,
        Platform.parse(platform) if platform else None,
        Compression.parse(compression) if compression else None,
    )


class _Run:
    """One squash: the source, the destination and what is known so far."""

    def __init__(self, request: Request, env: Environment, stack: ExitStack) -> None:
        self._request, self._env, self._stack = request, env, stack
        self._spool = Spool(env.tmp_dir)
        self._clock = _Clock()
        self._source = self._open(request.location)
        self._kept_name = ""

    def _open(self, location: Location) -> Source:
        return self._stack.enter_context(
            _open_source(location, self._request.platform, self._spool, self._env)
        )

    def select(self) -> Selection:
        """Find the layers, by names and digests alone."""
        request, image = self._request, self._source.describe()
        if not image.layers:
            raise MalformedImage(image.name, "it has no layers")
        if request.base is None:
            return select(image, last=request.last, layers=request.ranges)
        if request.last is not None or request.ranges:
            select(image, above=request.base, last=request.last, layers=request.ranges)
        try:
            above = select(image, above=request.base)
        except UnknownLayer as unknown:
            base = self._base_image(request.base, unknown)
            self._kept_name = base.name
            return select_above_image(image, base)
        return above

    def _base_image(self, name: str, unknown: UnknownLayer) -> Image:
        """Look for an image of that name: at the same place, or wherever the name says."""
        location = parse_location(name) if _has_place(name) else self._beside(name)
        if location is None:
            raise unknown
        try:
            return self._open(location).describe()
        except (ImageNotFound, UsageError):
            if location.transport == "plain" or not _has_place(name):
                raise unknown from None
            raise

    def _beside(self, name: str) -> Location | None:
        """Another image of the source's own place."""
        try:
            Reference.parse(name)
        except UsageError:
            if not _is_id(name):
                return None
        here = self._request.location
        if here.transport in {"plain", "docker-daemon"}:
            return Location(here.transport, name)
        return Location(here.transport, here.path, name) if here.path != "-" else None

    def _prepare(self, selection: Selection, layers: Layers) -> Prepared:
        ranges = selection.squashing
        content = frozenset(position for positions in ranges for position in positions)
        listed = frozenset(range(ranges[-1].stop if ranges else 0)) - content
        image = self._source.fetch(content, listed)
        self._clock.lap("fetch")
        prepared = prepare(image, selection, layers, self._env.progress)
        self._clock.lap("plan")
        return prepared

    def dry(self, selection: Selection) -> Result:
        """Plan, and tell what would be."""
        layers = self._stack.enter_context(Layers(self._spool))
        prepared = self._prepare(selection, layers)
        layers.verify()
        return self._result(prepared, dry_run=True)

    def squash(
        self, selection: Selection, wording: Wording, *, check: bool, cleanup: bool
    ) -> Result:
        """Do it."""
        request, env = self._request, self._env
        layers = self._stack.enter_context(Layers(self._spool))
        destination = self._stack.enter_context(
            _open_destination(request.output, self._source, self._spool, env)
        )
        prepared = self._prepare(selection, layers)
        image = prepared.image
        compression = request.compression or destination.default_compression(image)
        written = write(prepared, destination, compression, wording, env.progress)
        self._clock.lap("write")
        if check:
            _prove(prepared)
            self._clock.lap("verify")
        manifest = image.manifest
        if prepared.plans or manifest is None:
            manifest = new_manifest(image.manifest, written.config, written.descriptors)
        env.progress.phase("publish")
        image_id = destination.commit(written.config, manifest, request.tags)
        self._clock.lap("publish")
        if cleanup:
            self._clean_up(request.tags)
        return self._result(prepared, written, image_id=image_id, verified=check)

    def _clean_up(self, tags: Sequence[str]) -> None:
        if not isinstance(self._source, EngineSource):
            self._env.progress.note("--cleanup: the source is a file; it is left alone")
            return
        kept = self._source.remove(new_tags=tags)
        if kept:
            self._env.progress.note(f"--cleanup: {kept}")

    def _result(
        self,
        prepared: Prepared,
        written: Written | None = None,
        *,
        image_id: str = "",
        dry_run: bool = False,
        verified: bool = False,
    ) -> Result:
        image, plans = prepared.image, prepared.plans
        lost = sum(len(positions) - 1 for positions in plans)
        sizes = [blob_size(prepared, position) for position in range(len(image.layers))]
        kept = min((positions.start for positions in plans), default=len(image.layers))
        dropped = prepared.dropped
        self._clock.lap("compare")
        after = sum(sizes) - prepared.bytes_before + prepared.bytes_after
        return Result(
            source=image.name,
            source_id=str(image.id),
            destination=str(self._request.output),
            tags=tuple(Reference.parse_tag(tag).familiar for tag in self._request.tags),
            layers_before=len(image.layers),
            layers_after=len(image.layers) - lost,
            bytes_before=sum(sizes),
            bytes_after=after,
            kept=kept,
            kept_bytes=sum(sizes[:kept]),
            kept_name=self._kept_name,
            ranges=tuple(_ranges(prepared, written)),
            dropped=dropped,
            id=image_id,
            digest="",
            dry_run=dry_run,
            verified=verified,
            seconds=self._clock.seconds,
        )


def blob_size(prepared: Prepared, position: int) -> int:
    """Bytes of a layer's tar, or of its stored form if it was not opened."""
    tar = prepared.tars.get(position)
    return tar.size if tar is not None else prepared.image.layers[position].blob.size


def _ranges(prepared: Prepared, written: Written | None) -> Iterator[SquashedRange]:
    gone = 0
    for positions, plan in prepared.plans.items():
        diff_id = written.config.diff_ids[positions.start - gone] if written else ""
        gone += len(positions) - 1
        yield SquashedRange(
            first=positions.start + 1,
            last=positions.stop,
            bytes_before=sum(prepared.tars[p].size for p in positions),
            bytes_after=plan.size,
            entries=plan.entries,
            whiteouts=tuple((_text(w.path), w.reason) for w in plan.whiteouts),
            promoted=tuple((_text(p.gone), _text(p.path)) for p in plan.promotions),
            diff_id=str(diff_id),
        )


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _prove(prepared: Prepared) -> None:
    """Read the new layers as any reader would and compare with the old ones.

    Raises:
        ImageError: they differ, which would be a fault of lamella; nothing is published then.
    """
    old = [prepared.tars[p] for p in sorted(prepared.tars)]
    new: list[LayerTar] = []
    starts = {positions.start: positions for positions in prepared.plans}
    position = 0
    while position < len(old):
        if position in starts:
            new.append(prepared.merged(starts[position]))
            position = starts[position].stop
        else:
            new.append(old[position])
            position += 1
    found = list(compare_rootfs(read_rootfs(old), read_rootfs(new)))
    if found:
        raise ImageError(f"--verify: {len(found)} differences, nothing was published; {found[0]}")


class _Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = self._last = time.monotonic()

    def lap(self, phase: str) -> None:
        now = time.monotonic()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self.seconds["total"] = now - self._start
        self._last = now


def _has_place(name: str) -> bool:
    return parse_location(name).transport not in {"plain"} if name else False


def _is_id(name: str) -> bool:
    return name.startswith("sha256:")


def _open_source(
    location: Location, platform: Platform | None, spool: Spool, env: Environment
) -> Source:
    if location.transport in {"plain", "docker-daemon"}:
        return EngineSource(location.path, spool, platform, env.engine, env.progress)
    return FileSource(location, spool, platform, env.stdin)


def _open_destination(
    location: Location, source: Source, spool: Spool, env: Environment
) -> Destination:
    if location.transport in {"plain", "docker-daemon"}:
        return EngineDestination(spool, env.engine, env.progress)
    return FileDestination(location, spool, env.stdout)


@contextmanager
def open_image(
    reference: str, *, platform: str | None = None, env: Environment | None = None
) -> Iterator[Image]:
    """Open an image to look at it; its layers can be read inside the ``with`` block.

    Raises:
        LamellaError: there is no such image, or it is malformed.
    """
    env = env or Environment()
    wanted = Platform.parse(platform) if platform else None
    with _open_source(parse_location(reference), wanted, Spool(env.tmp_dir), env) as source:
        yield source.describe()


@contextmanager
def open_layers(
    reference: str,
    *,
    platform: str | None = None,
    tags: bool = False,
    env: Environment | None = None,
) -> Iterator[tuple[Image, list[Line]]]:
    """Open an image and list its layers; with `tags`, with the local tags of each."""
    env = env or Environment()
    wanted = Platform.parse(platform) if platform else None
    with _open_source(parse_location(reference), wanted, Spool(env.tmp_dir), env) as source:
        image = source.describe()
        known = source.tags_by_chain() if tags and isinstance(source, EngineSource) else None
        yield image, layer_lines(image, known)


def verify(ours: str, theirs: str, *, env: Environment | None = None) -> list[Difference]:
    """Compare two images: file systems in every attribute, and configs.

    Returns:
        What differs, by path; empty if nothing does. Left out of the configs: ``rootfs``,
        ``history`` and ``created``, which a squash has to change.

    Raises:
        LamellaError: one of them can't be read, or is malformed.
    """
    env = env or Environment()
    spool = Spool(env.tmp_dir)
    with ExitStack() as stack:
        layers = stack.enter_context(Layers(spool))
        images = [_whole_image(name, spool, env, stack) for name in (ours, theirs)]
        try:
            roots = [read_rootfs(layers.open(image.layers)) for image in images]
        except MalformedTar as error:
            raise layers.explain(error) from error
        found = [*compare_configs(*images), *compare_rootfs(*roots)]
        layers.verify()
        return found


def _whole_image(name: str, spool: Spool, env: Environment, stack: ExitStack) -> Image:
    source = stack.enter_context(_open_source(parse_location(name), None, spool, env))
    return source.fetch(frozenset(range(len(source.describe().layers))), frozenset())
