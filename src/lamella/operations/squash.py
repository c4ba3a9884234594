"""One squash of one image: which layers, from where, to where, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from lamella.analysis.secrets.allowed import Allowed
from lamella.errors import EngineUnreachable, MalformedImage, UnknownLayer, Unsupported
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.merge.causes import Dropped
from lamella.merge.cutting import Cutting
from lamella.operations.base import BaseOf
from lamella.operations.clock import Clock
from lamella.operations.conversion import conversion
from lamella.operations.facts import new_layers, range_facts, size_of
from lamella.operations.merge_layers import (
    Prepared,
    WrittenImage,
    prepare,
    reason_against,
    write,
)
from lamella.operations.notes import tell_edited
from lamella.operations.reasons import reason_for_nothing
from lamella.operations.referrers import Attached
from lamella.operations.request import Request
from lamella.operations.restating import Restating, kept_values
from lamella.operations.result import Result
from lamella.selection import AUTO, Selection, is_number, select
from lamella.spec.codec import Codec
from lamella.spec.manifest import Manifest
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

__all__ = ["Job", "Made"]


@dataclass(frozen=True)
class Made:
    """A new image whose layers are written, but which is not published yet."""

    prepared: Prepared
    writer: ImageWriter
    written: WrittenImage
    manifest: Manifest
    stored: Manifest | None
    """The manifest as the destination keeps it; None if it keeps none, or makes its own."""
    converted: str
    base: Mapping[str, str] | None
    """What its manifest says of its base; None: what the old one says."""


class Job:
    """One squash of one image, step by step: select, prepare, then `planned` or write, publish."""

    def __init__(
        self,
        request: Request,
        env: Environment,
        stack: ExitStack,
        source: Source | None = None,
        destination: Destination | None = None,
    ) -> None:
        """Open what is not given; it is closed with the stack.

        Args:
            request: what is asked for.
            env: temporary folder, progress, streams, how to reach engines.
            stack: closes what is opened.
            source: where the image is, if not where the request says.
            destination: what takes the image, if not what the request says.

        Raises:
            OutputError: the output can't be written; this is found out before anything is read.
        """
        self._request, self._env, self._stack = request, env, stack
        self._clock = Clock()
        self._source = source or self._open(request.location)
        self._base = BaseOf(request, self._source, env)
        self._reason = ""
        """Why there is nothing to squash."""
        self._base_layers = 0
        """How many of the lowest layers are kept because they are the base."""
        self._is_alone = destination is None
        """Not one of several that are published together."""
        self._attached = Attached(request.referrers, env.progress)
        self._whole: Image | None = None
        """With all its content, if that had to be looked at to choose layers."""
        if destination is None and not request.dry_run:
            destination = self._open_destination(request)
        self._destination = destination
        self._opener = stack.enter_context(LayerOpener(env.spool))
        self.allowed = Allowed.parse(request.allow)
        self._restating: Restating | None = None
        self.secrets: frozenset[str] = frozenset()
        """Of other documents of the same index: they go from this image's, too."""
        self.kept: frozenset[str] = frozenset()
        """What is none in these, and none in this image's."""

    def run(self) -> Result:
        """Do all of it."""
        prepared = self.prepare(self.select())
        if self._request.platform is None and prepared.image.platforms:
            self._env.progress.note(f"{prepared.image.choice} only (`platform` all takes all)")
        if self._request.dry_run:
            return self.planned(prepared)
        return self.publish(self.write(prepared))

    def _open(self, location: Location) -> Source:
        return self._stack.enter_context(location.open_source(self._request.platform, self._env))

    def _open_destination(self, request: Request) -> Destination:
        try:
            return self._stack.enter_context(request.output.open_destination(self._env))
        except EngineUnreachable:
            if request.location.is_bare:
                self._source.describe()  # its message also says that no such file is here
            raise

    def restating(self, image: Image | None = None) -> Restating:
        """Return what becomes of the image's documents.

        Args:
            image: as it was fetched: some engines tell its manifest only then; None: as described.
        """
        image = image or self._source.describe()
        if self._restating is None or self._restating.image is not image:
            kept = self.kept | kept_values(image, self._request, self.allowed)
            self._restating = Restating.of(image, self._request, self.secrets, kept)
        return self._restating

    def select(self) -> Selection:
        """Find the layers: by names and digests alone, unless lamella is to choose them."""
        selection = self._select()
        alone = self._request.changes_layers or self._request.cuts
        return replace(selection, alone=True) if alone else selection

    def _select(self) -> Selection:
        request, image = self._request, self._source.describe()
        if not image.layers:
            raise MalformedImage(image.name, "it has no layers")
        if request.auto or request.max_layers is not None:
            return self._choose(image)
        if request.base == AUTO:
            return self._base.select_above_found()
        try:
            return select(image, above=request.base, last=request.last, layers=request.ranges)
        except UnknownLayer as unknown:
            if request.base is None or is_number(request.base):
                raise
            return self._base.select_above_named(unknown)

    def _choose(self, image: Image) -> Selection:
        """Let the layers' content say which are worth squashing."""
        # Few squashes have to analyze anything.
        from lamella.operations.choose import select_auto, select_max_layers  # noqa: PLC0415

        request = self._request
        if reason := reason_against(image):
            raise Unsupported(f"{image.name}: {reason}")
        self._base_layers = base = 0 if request.include_base else self._base.kept_by_choice()
        # All of it, and only once: an engine would save the whole image a second time.
        if request.sizes_only and not request.remove_secrets:
            every = frozenset(range(len(image.layers)))
            self._whole = self._source.fetch(frozenset(), every)
        else:
            self._whole = fetch_all(self._source)
        self._clock.lap("fetch")
        if request.auto:
            selection = select_auto(self._whole, self._opener, base)
        else:
            selection = select_max_layers(self._whole, self._opener, request.max_layers or 1, base)
        self._clock.lap("choose")
        if not request.changes_layers:
            return selection
        # Each of the others is looked at alone: it stays unless it has what is to be another thing.
        chosen = {position for positions in selection.ranges for position in positions}
        others = [range(p, p + 1) for p in range(base, len(image.layers)) if p not in chosen]
        return Selection(tuple(sorted((*selection.ranges, *others), key=lambda r: r.start)))

    def prepare(self, selection: Selection) -> Prepared:
        """Fetch what is needed, and plan."""
        ranges = selection.squashing
        removes = self._request.remove_secrets
        headers_only = self._request.sizes_only and not removes
        restating = self.restating()
        if self._destination is not None:
            restating.check(self._destination, str(self._request.output))
        squashed = frozenset(position for positions in ranges for position in positions)
        content = frozenset[int]() if headers_only else squashed
        if removes:
            content = frozenset(range(len(self._source.describe().layers)))
        if self._destination is not None:
            content |= self._destination.needs(self._source.describe(), ranges, self._source)
        listed = frozenset(range(ranges[-1].stop if ranges else 0)) - content
        self._attached.look(self._source, self._source.describe().manifest)
        image = self._whole or self._source.fetch(content, listed)
        self._clock.lap("fetch")
        prepared = prepare(
            image,
            selection,
            self._opener,
            self._env.progress,
            self._request.edits,
            remove_secrets=removes,
            allowed=self.allowed,
            headers_only=headers_only,
            finds_blocks=self._takes_over(image),
            cutting=self._cutting(image),
        )
        if not prepared.plans:
            self._reason = reason_for_nothing(
                self._request,
                selection,
                len(image.layers),
                base_layers=self._base_layers,
                kept_name=self._base.kept_name,
            )
        tell_edited(prepared.edited, ranges, self._env.progress)
        redacts = self._request.changes.redaction.likely
        for line in self.allowed.unused(files=removes, values=redacts):
            self._env.progress.note(f"`allow` {line}: no likely secret is there")
        for note in restating.notes():
            self._env.progress.note(note)
        self._attached.judge(complete=not prepared.edited.left_out)
        self._clock.lap("plan")
        return prepared

    def _takes_over(self, image: Image) -> Codec | None:
        """Return of which squashed layers compressed parts will be taken over."""
        destination = self._destination
        if destination is None:
            return None
        return destination.compression(image, self._request.compression).takes_over

    def _cutting(self, image: Image) -> Cutting:
        """How new layers are cut; of a dry run it is not known how they would be compressed."""
        request = self._request
        compresses = request.output.keeps_manifest
        if self._destination is not None:
            kind = self._destination.compression(image, request.compression).kind
            compresses = kind != Codec.NONE
            if request.max_layer_size and not compresses:
                self._env.progress.note("`max_layer_size`: layers are stored uncompressed there")
        return Cutting(request.max_layer_size, request.into, compresses=compresses)

    def planned(self, prepared: Prepared) -> Result:
        """Tell what would be."""
        self._opener.verify()
        return replace(self._result(prepared), dry_run=True)

    def write(self, prepared: Prepared) -> Made:
        """Write the layers; there is a destination.

        Raises:
            DigestMismatch: a layer is not what it should be.
            OutputError: the destination is full, or went away.
        """
        request, image, destination = self._request, prepared.image, self._written_to
        advance = self._env.progress.advance
        new = prepared.new_image(self._source, request.compression, advance)
        writer = destination.open_image(new)
        restating, wording = self.restating(image), request.wording
        renewed = restating.renews_config
        written = write(prepared, writer, wording, self._env.progress, renewed=renewed)
        written = replace(written, config=restating.config(written.config))
        self._clock.lap("write")
        if request.check:
            from lamella.operations.prove import prove  # noqa: PLC0415 - few squashes need it

            prove(prepared, request.edits, written)
            self._clock.lap("verify")
        anew, base = bool(prepared.plans), self._annotations_of_base(prepared)
        manifest = restating.manifest(written.config, written.descriptors, base, anew=anew)
        stored = destination.stored_manifest(manifest)
        if stored is not None:
            stored = restating.annotated(stored)
        converted = conversion(image, written.kept, stored, unpacked=destination.unpacks)
        return Made(prepared, writer, written, stored or manifest, stored, converted, base)

    def _annotations_of_base(self, prepared: Prepared) -> Mapping[str, str] | None:
        kept = min((positions.start for positions in prepared.plans), default=None)
        return None if kept is None else self._base.annotations(prepared.image, kept)

    def publish(self, made: Made) -> Result:
        """Let the new image be seen."""
        request = self._request
        self._source.recheck()
        self._env.progress.phase("publish")
        self._attached.carry(self._written_to, made.stored)
        try:
            image_id = self._commit(made)
        except LayersMissing:
            made.writer.supply(fetch_all(self._source))
            image_id = self._commit(made)
        if self._is_alone:
            published()
        self._clock.lap("publish")
        if request.cleanup:
            self._clean_up(request.tags)
        digest = str(made.stored.digest) if made.stored else ""
        return replace(
            self._result(made.prepared, made.written),
            id=image_id,
            digest=digest,
            reference=request.output.pin(digest or image_id),
            verified=request.check,
            converted=made.converted,
        )

    def _commit(self, made: Made) -> str:
        return made.writer.commit(made.written.config, made.manifest, self._request.tags)

    @property
    def _written_to(self) -> Destination:
        if self._destination is None:
            raise TypeError("a dry run has no destination")
        return self._destination

    def _clean_up(self, tags: Sequence[str]) -> None:
        kept = self._source.remove(new_tags=tags)
        if kept:
            self._env.progress.note(f"`cleanup`: {kept}")

    def _result(self, prepared: Prepared, written: WrittenImage | None = None) -> Result:
        image, plans = prepared.image, prepared.plans
        new = new_layers(prepared, written)
        lost = sum(len(positions) - len(new[positions]) for positions in plans)
        sizes = [size_of(prepared, position) for position in range(len(image.layers))]
        kept = min((positions.start for positions in plans), default=len(image.layers))
        dropped = Dropped() if self._request.sizes_only else prepared.dropped
        self._clock.lap("compare")
        made = sum(layer.bytes for layers in new.values() for layer in layers)
        after = sum(sizes) - prepared.bytes_before + made
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
            kept_name=self._base.kept_name,
            kept_digest=self._base.kept_digest,
            asked=self._request.asked(),
            base=self._base.base,
            source_tags=image.tags,
            referrers=self._attached.outcomes,
            ranges=tuple(range_facts(prepared, written, new)),
            reason=self._reason,
            dropped=dropped,
            seconds=self._clock.seconds,
            excluded=tuple(map(path_text, prepared.edited.left_out)),
            shipped=tuple(
                (position + 1, path_text(path))
                for position, paths in prepared.edited.shipped.items()
                for path in paths
            ),
            secrets=tuple(cut.secret for cut in prepared.edited.secrets),
            kept_secrets=prepared.edited.kept_secrets,
            platform=str(Platform.of(image.config.value)),
            config_changes=tuple(self.restating(prepared.image).told()),
        )
