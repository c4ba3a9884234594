"""The layers that take the place of a range: one, or several where merged layers are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lamella.layer.blob import FileRange
from lamella.layer.compress import Packed
from lamella.layer.protocols import LayerTar
from lamella.layer.spans import StoredSpans
from lamella.layer.spool import Spool
from lamella.merge.cutting import Cutting, Part
from lamella.merge.emit import PlanTar
from lamella.merge.plan import Plan
from lamella.progress import Progress
from lamella.spec.codec import Codec
from lamella.tar.entry import path_text
from lamella.transport.base import ImageWriter, spool_packed

__all__ = ["Packing", "PutLayer", "Putting", "put_new"]

_GROWS = 1.01
"""What can't be compressed becomes larger by less than this."""


class Packing(NamedTuple):
    """How many bytes of a new layer's tar were compressed in which way, if it is compressed."""

    spliced: int = 0
    """Their compressed form was taken over."""
    recompressed: int = 0


class PutLayer(NamedTuple):
    """A new layer that is written."""

    plan: Plan
    packed: Packed
    packing: Packing


@dataclass(frozen=True)
class Putting:
    """What one or several new layers are made of, and who takes them."""

    parts: Sequence[Part | Plan]
    """Base first; a plan alone is not cut."""
    cutting: Cutting
    tars: Mapping[int, LayerTar]
    blocks: Mapping[int, StoredSpans]
    """What can be taken over, by position."""
    writer: ImageWriter
    spool: Spool
    progress: Progress

    @property
    def is_plain(self) -> bool:
        """Whether new layers are not compressed."""
        return self.writer.compression.kind == Codec.NONE

    def surely_fits(self, plan: Plan, limit: int) -> bool:
        """Whether a layer is within a limit, however it is compressed."""
        return plan.size <= limit if self.is_plain else plan.size * _GROWS < limit

    def spooled(self, plan: Plan) -> tuple[Packed, FileRange]:
        """Pack a layer into the spool."""
        return spool_packed(self._tar(plan), self.writer.compression, self.spool)

    def put(self, plan: Plan, spooled: tuple[Packed, FileRange] | None = None) -> PutLayer:
        """Give a layer to the writer, packed if it is so already."""
        if spooled is None:
            packed = self.writer.put_merged(self._tar(plan))
        else:
            packed = self.writer.put_packed(*spooled)
        if self.is_plain:
            return PutLayer(plan, packed, Packing())
        return PutLayer(plan, packed, Packing(packed.spliced, plan.size - packed.spliced))

    def _tar(self, plan: Plan) -> PlanTar:
        return PlanTar(plan, self.tars, self.progress.advance, self.blocks)


def put_new(putting: Putting) -> list[PutLayer]:
    """Write new layers; what turns out to be stored larger than the limit is cut again.

    Raises:
        OutputError: there is no room.
    """
    todo, done = list(reversed(putting.parts)), list[PutLayer]()
    while todo:
        part = todo.pop()
        plan = part if isinstance(part, Plan) else part.plan
        putting.progress.phase("write the merged layer", plan.size)
        limit = putting.cutting.limit
        if limit is None or isinstance(part, Plan) or putting.surely_fits(plan, limit):
            done.append(putting.put(plan))
            continue
        spooled = None if putting.is_plain else putting.spooled(plan)
        size = spooled[0].size if spooled else plan.size
        pieces = part.cut_to(limit, size, putting.cutting.ratios) if size > limit else []
        if pieces:
            todo += reversed(pieces)
            continue
        if size > limit:
            _tell(putting, part, size)
        done.append(putting.put(plan, spooled))
    return done


def _tell(putting: Putting, part: Part, size: int) -> None:
    path = path_text(part.path)
    putting.progress.note(f"`max_layer_size`: /{path} is larger: its layer has {size} bytes")
