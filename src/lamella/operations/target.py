"""Where the new image goes."""

from __future__ import annotations

import shlex

from lamella.errors import UsageError
from lamella.operations.request import Name, reference_text
from lamella.transport.engine.location import EngineLocation
from lamella.transport.location import Location
from lamella.transport.transports import parse_location

__all__ = ["target_of"]


def target_of(location: Location, output: Name | None, *, dry_run: bool) -> Location:
    """Return where the new image goes.

    Args:
        location: where the image is.
        output: where the user wants the new one; None: says nothing.
        dry_run: any place will do.

    Raises:
        UsageError: `output` makes no sense, or has to be given.
    """
    if output is not None:
        return parse_location(reference_text(output), output=True, source=location)
    home = location.home()
    if home is None and not dry_run:
        raise UsageError(
            f"no destination: {location} is a file; say where the new image goes: "
            f"`output` {shlex.quote(location.suggest().output)}"
        )
    return home or EngineLocation("", "")
