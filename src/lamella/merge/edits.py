"""What a merged layer is to say otherwise than its layers: a stage between difference and plan.

Entries are left out of the difference; those that stay may get another header when it is planned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lamella.merge.overlay import Tree
from lamella.tar.entry import Header

__all__ = ["NO_EDITS", "Edits"]


@dataclass(frozen=True)
class Edits:
    """How a merged layer is changed."""

    leave_out: Callable[[bytes], bool] | None = None
    """Whether the image is to have no such path, nor what is below it. It is asked for what the
    squashed layers say; what only the layers below say stays."""
    change: Callable[[Header], Header] | None = None
    """What the header of an entry becomes: another owner, mode, time, attributes. Hard links repeat
    those of their file."""

    @property
    def ask_below(self) -> bool:
        """Whether what is left out depends on the layers below, where it may be too."""
        return self.leave_out is not None

    def apply(self, difference: Tree) -> list[bytes]:
        """Leave entries out of a difference; return their paths."""
        if self.leave_out is None:
            return []
        gone = [path for path, _ in difference.walk() if self.leave_out(path)]
        for path in gone:
            difference.leave_out(path)
        return gone


NO_EDITS = Edits()
