"""One delta, from the request to the result."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

from lamella.errors import Unsupported
from lamella.image import Image
from lamella.layer.compression import Compression
from lamella.layer.opener import LayerOpener
from lamella.merge.plan import Plan
from lamella.operations.clock import Clock
from lamella.operations.delta import (
    PlannedDelta,
    both_stacks,
    plan_delta,
    prove_delta,
    with_layers,
)
from lamella.operations.delta_result import DeltaResult
from lamella.operations.ignoring import NOTHING_IGNORED, Ignoring
from lamella.operations.merge_layers import Prepared, WrittenImage, reason_against, write
from lamella.operations.pairs import Pair, fetch_pair, open_pair, read_pair
from lamella.operations.planning import Edited
from lamella.rewrite import Wording, delta_config, new_manifest
from lamella.selection import Selection
from lamella.spec.annotation import BASE_DIGEST, BASE_NAME
from lamella.spec.config import Config
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import oci_type
from lamella.spec.platform import Platform
from lamella.tar.entry import path_text
from lamella.transport.base import Destination, ImageWriter, LayersMissing, NewImage, fetch_all
from lamella.transport.environment import Environment
from lamella.transport.location import Location
from lamella.waiting import published

__all__ = ["DeltaJob", "DeltaRequest"]


@dataclass(frozen=True)
class DeltaRequest:
    """What is asked for."""

    old: Location
    new: Location
    output: Location
    tags: tuple[str, ...] = ()
    platform: Platform | None = None
    compression: Compression | None = None
    ignoring: Ignoring = NOTHING_IGNORED
    check: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class _Ready:
    """All that is known before a byte is written."""

    pair: Pair
    planned: PlannedDelta
    prepared: Prepared
    """As of a squash: the layers that only the new image has become one over the old ones."""

    @property
    def plan(self) -> Plan | None:
        return self.planned.plan


class DeltaJob:
    """One delta, step by step: prepare, then tell what would be, or write and publish."""

    def __init__(self, request: DeltaRequest, env: Environment, stack: ExitStack) -> None:
        """Open both images, and the output; they are closed with the stack.

        Raises:
            LamellaError: one can't be reached, or written to.
        """
        self._request, self._env = request, env
        self._clock = Clock()
        places = request.old, request.new
        self._old, self._new = open_pair(places, request.platform, env, stack)
        self._destination: Destination | None = None
        if not request.dry_run:
            self._destination = stack.enter_context(request.output.open_destination(env))
        self._opener = stack.enter_context(LayerOpener(env.spool))

    def run(self) -> DeltaResult:
        """Do all of it.

        Raises:
            LamellaError: an image can't be read, or the result can't be written.
        """
        ready = self._prepare()
        if self._destination is None:
            self._opener.verify()
            return replace(self._result(ready), dry_run=True)
        return self._write(ready, self._destination)

    def _prepare(self) -> _Ready:
        described = self._old.describe(), self._new.describe()
        self._check(*described)
        needed, takes_over = self._needed(*described)
        images = fetch_pair(self._old, self._new, needed)
        self._clock.lap("fetch")
        self._env.progress.phase("read layers")
        pair = read_pair(images, self._opener, finds_blocks=takes_over)
        self._env.progress.phase("compare")
        planned = plan_delta(pair, self._request.ignoring)
        self._clock.lap("plan")
        image, positions = both_stacks(*images)
        plans = {}
        if planned.plan is not None:
            plans[positions] = planned.plan
        else:
            image = with_layers(image, images[0].layers)
        selection = Selection(tuple(plans))
        prepared = Prepared(image, selection, self._opener, planned.tars, plans, Edited())
        return _Ready(pair, planned, prepared)

    def _check(self, old: Image, new: Image) -> None:
        for image in (old, new):
            if self._request.platform is None and image.platforms:
                self._env.progress.note(image.choice)
            if reason := reason_against(image):
                raise Unsupported(f"{image.name}: {reason}")

    def _needed(self, old: Image, new: Image) -> tuple[frozenset[int], bool]:
        """Return the old layers that the output must be given, and whether it takes over blocks."""
        if self._destination is None:
            return frozenset(), False
        image, positions = both_stacks(old, new)
        needed = self._destination.needs(image, (positions,), self._old)
        compression = self._destination.compression(image, self._request.compression)
        return needed, compression.takes_over

    def _write(self, ready: _Ready, destination: Destination) -> DeltaResult:
        request, prepared = self._request, ready.prepared
        old, new = ready.pair.images
        taken = NewImage(
            prepared.image,
            tuple(prepared.plans),
            self._old,
            self._opener,
            request.compression,
            prepared.bytes_after,
            self._env.progress.advance,
        )
        writer = destination.open_image(taken)
        written = write(prepared, writer, Wording(), self._env.progress, renewed=True)
        self._clock.lap("write")
        if request.check:
            prove_delta(ready.pair, ready.planned, request.ignoring)
            self._clock.lap("verify")
        config = delta_config(old, new, written.config.diff_ids)
        manifest = self._manifest(old, new, config, written)
        stored = destination.stored_manifest(manifest)
        image_id = self._publish(writer, config, stored or manifest)
        digest = str(stored.digest) if stored else ""
        return replace(
            self._result(ready),
            id=image_id,
            digest=digest,
            reference=request.output.pin(digest or image_id),
            diff_id=str(written.config.diff_ids[-1]) if ready.plan else "",
            stored=written.descriptors[-1].size if ready.plan else 0,
            verified=request.check,
        )

    def _manifest(self, old: Image, new: Image, config: Config, written: WrittenImage) -> Manifest:
        """Return the new image's manifest for the layers; its base is the old image."""
        layers = written.descriptors
        if new.manifest is None or not new.manifest.is_docker:
            layers = tuple(replace(one, media_type=oci_type(one.media_type)) for one in layers)
        digest = str(old.manifest.digest) if old.manifest else ""
        told = {BASE_NAME: self._request.old.public_name(old), BASE_DIGEST: digest}
        base = {key: value for key, value in told.items() if value}
        return new_manifest(new.manifest, config, layers, None, base)

    def _publish(self, writer: ImageWriter, config: Config, manifest: Manifest) -> str:
        for source in (self._old, self._new):
            source.recheck()
        self._env.progress.phase("publish")
        tags = self._request.tags
        try:
            image_id = writer.commit(config, manifest, tags)
        except LayersMissing:
            writer.supply(fetch_all(self._old))
            image_id = writer.commit(config, manifest, tags)
        published()
        self._clock.lap("publish")
        return image_id

    def _result(self, ready: _Ready) -> DeltaResult:
        request, plan = self._request, ready.plan
        old, new = ready.pair.images
        tars = ready.planned.tars
        return DeltaResult(
            old=old.name,
            new=new.name,
            old_id=str(old.id),
            new_id=str(new.id),
            destination=str(request.output),
            tags=request.output.names(request.tags),
            platform=str(Platform.of(new.config.value)),
            shared_layers=ready.pair.shared,
            layers=len(old.layers) + (plan is not None),
            old_bytes=sum(
                tars[at].size if at in tars else layer.blob.size
                for at, layer in enumerate(old.layers)
            ),
            delta_bytes=plan.size if plan else 0,
            entries=plan.entries if plan else 0,
            whiteouts=tuple((path_text(w.path), w.reason) for w in plan.whiteouts) if plan else (),
            ignored=ready.planned.ignored,
            seconds=self._clock.seconds,
        )
