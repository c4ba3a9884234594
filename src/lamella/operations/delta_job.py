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
from lamella.operations.pairs import Pair, fetch_pair, open_pair, read_pair, shared_layers
from lamella.operations.planning import Edited
from lamella.rewrite import Wording, delta_config, new_manifest
from lamella.selection import Selection
from lamella.spec.annotation import BASE_DIGEST, BASE_NAME
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import oci_type
from lamella.spec.platform import Platform
from lamella.tar.entry import path_text
from lamella.transport.base import (
    Destination,
    ImageWriter,
    LayersMissing,
    Source,
    fetch_all,
)
from lamella.transport.environment import Environment
from lamella.transport.location import Location
from lamella.waiting import published

__all__ = ["DeltaJob", "DeltaRequest", "MadeDelta", "ReadyDelta", "about_base"]


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
class ReadyDelta:
    """All that is known before a byte is written."""

    pair: Pair
    planned: PlannedDelta
    prepared: Prepared
    """As of a squash: the layers that only the new image has become one over the old ones."""

    @property
    def plan(self) -> Plan | None:
        """The new layer's; None: there is none."""
        return self.planned.plan


@dataclass(frozen=True)
class MadeDelta:
    """An image whose layers are written, but which is not published yet."""

    ready: ReadyDelta
    writer: ImageWriter
    written: WrittenImage
    config: Config
    manifest: Manifest
    is_stored: bool
    """The destination keeps the manifest."""


def about_base(name: str, digest: str) -> dict[str, str]:
    """Return annotations that name a base, as far as it is known."""
    return {key: text for key, text in ((BASE_NAME, name), (BASE_DIGEST, digest)) if text}


class DeltaJob:
    """One delta, step by step: prepare, then tell what would be, or write and publish."""

    def __init__(
        self,
        request: DeltaRequest,
        env: Environment,
        stack: ExitStack,
        sources: tuple[Source, Source] | None = None,
        destination: Destination | None = None,
    ) -> None:
        """Open what is not given; it is closed with the stack.

        Args:
            request: what is asked for.
            env: temporary folder, progress, how to reach engines and registries.
            stack: closes what is opened.
            sources: both images, if they are not where the request says.
            destination: what takes the image, if not what the request says.

        Raises:
            LamellaError: one can't be reached, or written to.
        """
        self._request, self._env = request, env
        self._clock = Clock()
        places = request.old, request.new
        self._is_alone = destination is None
        self._old, self._new = sources or open_pair(places, request.platform, env, stack)
        if destination is None and not request.dry_run:
            destination = stack.enter_context(request.output.open_destination(env))
        self._destination = destination
        self._opener = stack.enter_context(LayerOpener(env.spool))

    def run(self) -> DeltaResult:
        """Do all of it.

        Raises:
            LamellaError: an image can't be read, or the result can't be written.
        """
        ready = self.prepare()
        return self.planned(ready) if self._request.dry_run else self.publish(self.write(ready))

    def planned(self, ready: ReadyDelta) -> DeltaResult:
        """Tell what would be."""
        self._opener.verify()
        return replace(self._result(ready), dry_run=True)

    def prepare(self) -> ReadyDelta:
        """Fetch both images, compare them, and plan."""
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
        image, positions = both_stacks(*images, pair.layers[len(images[0].layers) :])
        plans = {}
        if planned.plan is not None:
            plans[positions] = planned.plan
        else:
            image = with_layers(image, images[0].layers)
        selection = Selection(tuple(plans))
        prepared = Prepared(image, selection, self._opener, planned.tars, plans, Edited())
        return ReadyDelta(pair, planned, prepared)

    def _check(self, old: Image, new: Image) -> None:
        for image in (old, new):
            if self._request.platform is None and image.platforms:
                self._env.progress.note(image.choice)
            if reason := reason_against(image):
                raise Unsupported(f"{image.name}: {reason}")

    def _needed(self, old: Image, new: Image) -> tuple[frozenset[int], Codec | None]:
        """Return the old layers that the output must be given, and of what it takes over blocks."""
        if self._destination is None:
            return frozenset(), None
        image, positions = both_stacks(old, new, new.layers[shared_layers(old, new) :])
        needed = self._destination.needs(image, (positions,), self._old)
        compression = self._destination.compression(image, self._request.compression)
        return needed, compression.takes_over

    def write(self, ready: ReadyDelta) -> MadeDelta:
        """Write the layers; there is a destination."""
        request, prepared, destination = self._request, ready.prepared, self._destination
        if destination is None:
            raise TypeError("a dry run has no destination")
        old, new = ready.pair.images
        advance = self._env.progress.advance
        taken = prepared.new_image(self._old, request.compression, advance)
        writer = destination.open_image(taken)
        written = write(prepared, writer, Wording(), self._env.progress, renewed=True)
        self._clock.lap("write")
        if request.check:
            prove_delta(ready.pair, ready.planned, request.ignoring)
            self._clock.lap("verify")
        config = delta_config(old, new, written.config.diff_ids)
        manifest = self._manifest(old, new, config, written)
        stored = destination.stored_manifest(manifest)
        kept = stored is not None
        return MadeDelta(ready, writer, written, config, stored or manifest, kept)

    def publish(self, made: MadeDelta) -> DeltaResult:
        """Let the image be seen."""
        request, written, is_new = self._request, made.written, made.ready.plan is not None
        image_id = self._commit(made)
        digest = str(made.manifest.digest) if made.is_stored else ""
        return replace(
            self._result(made.ready),
            id=image_id,
            digest=digest,
            reference=request.output.pin(digest or image_id),
            diff_id=str(made.config.diff_ids[-1]) if is_new else "",
            stored=written.descriptors[-1].size if is_new else 0,
            verified=request.check,
        )

    def _manifest(self, old: Image, new: Image, config: Config, written: WrittenImage) -> Manifest:
        """Return the new image's manifest for the layers; its base is the old image."""
        layers = written.descriptors
        if new.manifest is None or not new.manifest.is_docker:
            layers = tuple(replace(one, media_type=oci_type(one.media_type)) for one in layers)
        digest = old.index or (old.manifest.digest if old.manifest else "")
        base = about_base(self._request.old.public_name(old), str(digest))
        return new_manifest(new.manifest, config, layers, None, base)

    def _commit(self, made: MadeDelta) -> str:
        for source in (self._old, self._new):
            source.recheck()
        self._env.progress.phase("publish")
        parts = made.config, made.manifest, self._request.tags
        try:
            image_id = made.writer.commit(*parts)
        except LayersMissing:
            made.writer.supply(fetch_all(self._old))
            image_id = made.writer.commit(*parts)
        if self._is_alone:
            published()
        self._clock.lap("publish")
        return image_id

    def _result(self, ready: ReadyDelta) -> DeltaResult:
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
