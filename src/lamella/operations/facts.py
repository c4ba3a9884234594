"""Facts of a squash that was planned, or written: what its result tells of each range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lamella.operations.merge_layers import Prepared, WrittenImage
from lamella.operations.result import LayerOfRange, SquashedRange
from lamella.tar.entry import path_text

__all__ = ["new_layers", "range_facts", "size_of"]


def size_of(prepared: Prepared, position: int) -> int:
    """Bytes of a layer's tar, or of its stored form if it was not opened."""
    tar = prepared.tars.get(position)
    return tar.size if tar is not None else prepared.image.layers[position].blob.size


def new_layers(
    prepared: Prepared, written: WrittenImage | None
) -> dict[range, tuple[LayerOfRange, ...]]:
    """Return the facts of the layers that take the place of each range, base first."""
    found: dict[range, tuple[LayerOfRange, ...]] = {}
    for positions in prepared.plans:
        if written is None:
            plans = prepared.new_plans(positions)
            found[positions] = tuple(LayerOfRange(plan.size, plan.entries) for plan in plans)
        else:
            found[positions] = tuple(
                LayerOfRange(plan.size, plan.entries, packed.size, str(packed.diff_id))
                for plan, packed, _ in written.new[positions]
            )
    return found


def range_facts(
    prepared: Prepared,
    written: WrittenImage | None,
    new: Mapping[range, tuple[LayerOfRange, ...]],
) -> Iterator[SquashedRange]:
    """Yield the facts of each range.

    Args:
        prepared: what was planned.
        written: what was written; None: it was a dry run.
        new: the layers that take the place of each range.
    """
    for positions, plan in prepared.plans.items():
        layers = new[positions]
        packings = [layer.packing for layer in written.new[positions]] if written else []
        yield SquashedRange(
            first=positions.start + 1,
            last=positions.stop,
            bytes_before=sum(prepared.tars[p].size for p in positions),
            bytes_after=sum(layer.bytes for layer in layers),
            entries=sum(layer.entries for layer in layers),
            whiteouts=tuple((path_text(w.path), w.reason) for w in plan.whiteouts),
            promoted=tuple((path_text(p.gone), path_text(p.path)) for p in plan.promotions),
            diff_id=layers[0].diff_id,
            spliced=sum(packing.spliced for packing in packings),
            recompressed=sum(packing.recompressed for packing in packings),
            layers=layers,
        )
