"""One squash from request to result: which layers, from where, to where, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from lamella.errors import ImageError, ImageNotFound, MalformedImage, UnknownLayer, UsageError
from lamella.image import Image
from lamella.layer.compression import Compression
from lamella.layer.spool import Layers, LayerTar, Spool
from lamella.mutate import Wording, new_manifest
from lamella.places import Environment, locate, open_destination, open_source
from lamella.result import Result, SquashedRange
from lamella.rootfs import compare_rootfs, read_rootfs
from lamella.selection import Selection, select, select_above_image
from lamella.spec.platform import Platform
from lamella.squashing import Prepared, Written, prepare, write
from lamella.transport.base import Destination, Rechecks, Source
from lamella.transport.engine_names import docker_name, podman_name
from lamella.transport.names import Location

__all__ = ["Job", "Request"]

_KEEP_MANIFESTS = {"oci", "oci-archive", "docker"}


@dataclass(frozen=True)
class Request:
    """What a squash is asked for, checked before any work."""

    location: Location
    output: Location
    base: str | None = None
    last: int | None = None
    ranges: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    platform: Platform | None = None
    compression: Compression | None = None

    def __post_init__(self) -> None:
        """Check what needs no image to be known as wrong.

        Raises:
            UsageError: two choices of layers, or one that no image can fulfil.
        """
        if sum((self.base is not None, self.last is not None, bool(self.ranges))) > 1:
            raise UsageError("LAYER/--from, --last and --layers exclude each other; give one")
        if self.last is not None and self.last < 1:
            raise UsageError(f"--last {self.last}: want how many layers, 1 or more")

    @property
    def names(self) -> tuple[str, ...]:
        """What the destination will call the image."""
        if self.output.transport in {"oci", "oci-archive"}:
            return tuple(tag for tag in dict.fromkeys((self.output.tag, *self.tags)) if tag)
        if self.output.transport == "docker":
            return tuple(dict.fromkeys(self.tags))
        tags = (self.output.tag, *self.tags) if self.output.tag else self.tags
        name = podman_name if self.output.transport == "podman" else docker_name
        return tuple(dict.fromkeys(name(tag) for tag in tags))


class Job:
    """One squash: the source, the destination and what is known so far."""

    def __init__(self, request: Request, env: Environment, stack: ExitStack) -> None:
        self._request, self._env, self._stack = request, env, stack
        self._spool = Spool(env.tmp_dir)
        self._clock = _Clock()
        self._source = self._open(request.location)
        self._kept_name = ""
        self._destination: Destination | None = None

    def prepare_output(self) -> None:
        """Find out whether the output can be written, before anything is read.

        Raises:
            OutputError: it can't.
        """
        destination = open_destination(self._request.output, self._spool, self._env)
        self._destination = self._stack.enter_context(destination)
        self._destination.join(self._source)

    def _open(self, location: Location) -> Source:
        source = open_source(location, self._request.platform, self._spool, self._env)
        return self._stack.enter_context(source)

    def select(self) -> Selection:
        """Find the layers, by names and digests alone."""
        request, image = self._request, self._source.describe()
        if not image.layers:
            raise MalformedImage(image.name, "it has no layers")
        try:
            return select(image, above=request.base, last=request.last, layers=request.ranges)
        except UnknownLayer as unknown:
            if request.base is None or request.base.startswith("#"):
                raise
            base = self._base_image(request.base, unknown)
        self._kept_name = base.name
        return select_above_image(image, base)

    def _base_image(self, name: str, unknown: UnknownLayer) -> Image:
        """LAYER may be another image: of the place it says, or of the source's own."""
        location = locate(name, self._env)
        beside = location.transport == "plain"
        try:
            return self._source.beside(name) if beside else self._open(location).describe()
        except (ImageNotFound, UsageError):
            if beside:
                raise unknown from None
            raise

    def _prepare(self, selection: Selection, layers: Layers) -> Prepared:
        ranges = selection.squashing
        content = frozenset(position for positions in ranges for position in positions)
        if self._destination is not None:
            content |= self._destination.needs(self._source.describe(), ranges)
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
        return replace(self._result(prepared), dry_run=True)

    def squash(
        self, selection: Selection, wording: Wording, *, check: bool, cleanup: bool
    ) -> Result:
        """Do it; `prepare_output` comes first."""
        request, env, destination = self._request, self._env, self._destination
        if destination is None:
            raise TypeError("prepare_output was not called")
        layers = self._stack.enter_context(Layers(self._spool))
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
        if isinstance(self._source, Rechecks):
            self._source.recheck()
        env.progress.phase("publish")
        image_id = destination.commit(written.config, manifest, request.tags)
        self._clock.lap("publish")
        if cleanup:
            self._clean_up(request.tags)
        return replace(
            self._result(prepared, written),
            id=image_id,
            digest=str(manifest.digest) if request.output.transport in _KEEP_MANIFESTS else "",
            verified=check,
        )

    def _clean_up(self, tags: Sequence[str]) -> None:
        kept = self._source.remove(new_tags=tags)
        if kept:
            self._env.progress.note(f"--cleanup: {kept}")

    def _result(self, prepared: Prepared, written: Written | None = None) -> Result:
        image, plans = prepared.image, prepared.plans
        lost = sum(len(positions) - 1 for positions in plans)
        sizes = [_size(prepared, position) for position in range(len(image.layers))]
        kept = min((positions.start for positions in plans), default=len(image.layers))
        dropped = prepared.dropped
        self._clock.lap("compare")
        after = sum(sizes) - prepared.bytes_before + prepared.bytes_after
        return Result(
            source=image.name,
            source_id=str(image.id),
            destination=str(self._request.output),
            source_digest=str(image.manifest.digest) if image.manifest else "",
            tags=self._request.names,
            layers_before=len(image.layers),
            layers_after=len(image.layers) - lost,
            bytes_before=sum(sizes),
            bytes_after=after,
            kept=kept,
            kept_bytes=sum(sizes[:kept]),
            kept_name=self._kept_name,
            ranges=tuple(_ranges(prepared, written)),
            dropped=dropped,
            seconds=self._clock.seconds,
        )


def _size(prepared: Prepared, position: int) -> int:
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
    top = max((positions.stop for positions in prepared.plans), default=0)
    old = prepared.layers.open_headers(prepared.image.layers[:top])
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
