"""Why there is nothing to squash."""

from __future__ import annotations

from lamella.operations.request import Request
from lamella.selection import Selection

__all__ = ["reason_for_nothing"]


def reason_for_nothing(  # noqa: PLR0911 - one for each reason
    request: Request, selection: Selection, count: int, *, base_layers: int, kept_name: str
) -> str:
    """Return why no layer was written.

    Args:
        request: what was asked for.
        selection: the layers that were chosen.
        count: how many layers the image has.
        base_layers: how many of the lowest are kept because they are the base.
        kept_name: what the user called the layers below.
    """
    if selection.squashing and not request.changes_layers:
        return "no chosen layer is to be cut, and there is only one in each range"
    if selection.squashing:
        return "no chosen layer has anything to leave out or to change"
    if count == 1:
        return "the image has only one layer"
    if request.auto:
        where = " above the base" if base_layers else ""
        return f"no layer{where} has anything that a squash would remove"
    if request.max_layers is not None:
        return f"the image has {count} layers, and {request.max_layers} are allowed"
    if request.base is not None:
        [above] = selection.ranges
        what = f"only layer {above.stop}" if above else "no layer"
        return f"{what} is above {kept_name or f'layer {above.start}'}"
    if len(selection.ranges) == 1:
        return f"only layer {selection.ranges[0].stop} was chosen"
    return "each chosen range has only one layer"
