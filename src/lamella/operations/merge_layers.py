"""The whole story: look at the layers, plan, write the new image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from lamella.analysis.secrets.allowed import NOTHING_ALLOWED, Allowed
from lamella.errors import Unsupported
from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.layer.compression import Compression
from lamella.layer.opener import LayerOpener
from lamella.layer.protocols import LayerTar
from lamella.layer.spans import StoredSpans
from lamella.merge.causes import Dropped, count_dropped
from lamella.merge.cutting import NO_CUTTING, Cutting, Part
from lamella.merge.edits import NO_EDITS, Edits
from lamella.merge.emit import PlanTar
from lamella.merge.gc_pause import collector_paused
from lamella.merge.plan import Plan
from lamella.operations.new_layers import PutLayer, Putting, put_new
from lamella.operations.planning import Edited, Planning, Reading
from lamella.progress import Progress
from lamella.rewrite import Wording, new_config
from lamella.selection import Selection
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.transport.base import ImageWriter, NewImage, Source

__all__ = ["Prepared", "WrittenImage", "prepare", "reason_against", "write"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that is known before a byte is written."""

    image: Image
    selection: Selection
    opener: LayerOpener
    tars: Mapping[int, LayerTar]
    """By position: the layers that were read; those below a range only if it depends on them."""
    plans: Mapping[range, Plan]
    edited: Edited
    cutting: Cutting = NO_CUTTING
    parts: Mapping[range, Sequence[Part]] = field(default_factory=dict)
    """What takes the place of each range, where merged layers are cut."""

    def count_dropped(self) -> None:
        """Read what `dropped` has to compare, now rather than when it is asked for."""
        _ = self.dropped

    @cached_property
    def dropped(self) -> Dropped:
        """What the squash leaves out, by cause."""
        counts = [count_dropped(plan, self.tars) for plan in self.plans.values()]
        return sum(counts, Dropped())

    @property
    def bytes_before(self) -> int:
        """Bytes of the squashed layers' tars."""
        return sum(self.tars[p].size for positions in self.plans for p in positions)

    @property
    def bytes_after(self) -> int:
        """Bytes of the layers that take their place."""
        return sum(plan.size for positions in self.plans for plan in self.new_plans(positions))

    def new_plans(self, positions: range) -> list[Plan]:
        """Return the plans of the layers that take the place of a range, base first."""
        parts = self.parts.get(positions)
        return [part.plan for part in parts] if parts else [self.plans[positions]]

    def new_image(
        self, source: Source, compression: Compression | None, advance: Callable[[int], None]
    ) -> NewImage:
        """Return what a destination takes.

        Args:
            source: where the image is.
            compression: of new layers, if the user says.
            advance: is told how much of layers that stay is copied.
        """
        return NewImage(
            self.image,
            tuple(self.plans),
            source,
            self.opener,
            compression,
            self.bytes_after,
            advance,
        )

    def merged(self, positions: range) -> PlanTar:
        """Return the layer that takes the place of a range."""
        return PlanTar(self.plans[positions], self.tars)


@dataclass(frozen=True)
class WrittenImage:
    """What a new image is made of, once its layers are written."""

    config: Config
    descriptors: tuple[Descriptor, ...]
    kept: tuple[tuple[Layer, Descriptor], ...]
    """Layers that stay, and in which form."""
    new: Mapping[range, Sequence[PutLayer]]
    """The layers that take the place of each range."""


def prepare(  # noqa: PLR0913 - what is read, how, and what becomes of it
    image: Image,
    selection: Selection,
    opener: LayerOpener,
    progress: Progress,
    edits: Edits = NO_EDITS,
    *,
    remove_secrets: bool = False,
    allowed: Allowed = NOTHING_ALLOWED,
    headers_only: bool = False,
    finds_blocks: Codec | None = None,
    cutting: Cutting = NO_CUTTING,
) -> Prepared:
    """Read headers and plan; no content is looked at.

    Args:
        image: the image.
        selection: which of its layers are squashed.
        opener: opens them.
        progress: is told.
        edits: what the merged layers are to say otherwise.
        remove_secrets: merged layers leave out what is likely a secret, too.
        allowed: what is none.
        headers_only: content of squashed layers will not be asked for.
        finds_blocks: find what of them can be taken over, as far as they are compressed so.
        cutting: how merged layers are cut.

    Raises:
        ImageError: a layer is damaged, is not what its digest says, or can't be squashed.
    """
    if image.history_gap:
        progress.note(image.history_gap)
    ranges = selection.squashing
    reason = reason_against(image)
    if ranges and reason:
        raise Unsupported(f"{image.name}: {reason}")
    progress.phase("read layers")
    reading = Reading(image, opener, headers_only=headers_only, finds_blocks=finds_blocks)
    with opener.explaining(), collector_paused():
        planned = Planning(
            reading,
            ranges,
            edits,
            remove_secrets=remove_secrets,
            allowed=allowed,
            cutting=cutting,
        )
        plans = planned.plans()
        edited = planned.edited()
    parts = {positions: planned.parts.get(positions, ()) for positions in plans}
    return Prepared(image, selection, opener, reading.tars, plans, edited, planned.cutting, parts)


def reason_against(image: Image) -> str:
    """Return why an image's layers can't be merged at all; empty if they can."""
    if image.config.text("os") == "windows":
        return "layers of Windows hold changes to registry hives, which only Windows can merge"
    return ""


def write(
    prepared: Prepared,
    writer: ImageWriter,
    wording: Wording,
    progress: Progress,
    *,
    renewed: bool = False,
) -> WrittenImage:
    """Write the new image's layers, base first; all that was read is verified when this returns.

    Args:
        prepared: the plans.
        writer: takes the layers.
        wording: of the new config.
        progress: is told.
        renewed: the config becomes another one even if no layer does.

    Raises:
        DigestMismatch: a layer is not what it should be.
        OutputError: the destination is full, or went away.
    """
    image, opener = prepared.image, prepared.opener
    squashed = {position for positions in prepared.plans for position in positions}
    new: dict[range, Sequence[PutLayer]] = {}
    descriptors: list[Descriptor] = []
    forms: list[Descriptor] = []
    starts = {positions.start: positions for positions in prepared.plans}
    kept = [image.layers[p] for p in range(len(image.layers)) if p not in squashed]
    for layer in kept:
        opener.check(layer)
    causes = opener.beside(prepared.count_dropped)
    for position, layer in enumerate(image.layers):
        if position in starts:
            positions = starts[position]
            new[positions] = put_new(_putting(prepared, writer, progress, positions))
            descriptors += [layer.packed.descriptor for layer in new[positions]]
        elif position not in squashed:
            progress.phase(f"keep layer {position + 1}", layer.blob.size)
            forms.append(writer.put_layer(layer))
            descriptors.append(forms[-1])
    progress.phase("verify layers")
    causes.result()
    opener.verify()
    config = image.config
    if new or renewed:
        made = {where: [layer.packed.diff_id for layer in layers] for where, layers in new.items()}
        config = new_config(image, prepared.selection, made, wording)
    kept_forms = tuple(zip(kept, forms, strict=True))
    return WrittenImage(config, tuple(descriptors), kept_forms, new)


def _putting(
    prepared: Prepared, writer: ImageWriter, progress: Progress, positions: range
) -> Putting:
    parts = prepared.parts.get(positions) or (prepared.plans[positions],)
    blocks = _blocks(prepared, positions, writer.compression.takes_over)
    spool = prepared.opener.spool
    return Putting(parts, prepared.cutting, prepared.tars, blocks, writer, spool, progress)


def _blocks(prepared: Prepared, positions: range, codec: Codec | None) -> dict[int, StoredSpans]:
    """Return what can be taken over of the layers of a range, by position."""
    if codec is None:
        return {}
    layers = prepared.image.layers[positions.start : positions.stop]
    found = zip(positions, prepared.opener.blocks(layers, codec), strict=True)
    return {position: blocks for position, blocks in found if blocks is not None}
