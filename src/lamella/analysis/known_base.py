"""What is known of an image's base, as a value; apart, because each squash loads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Base", "FoundBy", "kept_layers"]

FoundBy = Literal["layer", "annotation", "provenance", "image", "times", "history"]
"""``layer``: the user named it; ``annotation``, also a label: the image names it; ``provenance``:
that of its build does; ``image``: it is beside the image; ``times``, ``history``: a guess."""


@dataclass(frozen=True)
class Base:
    """What is taken for the image's base."""

    layers: int
    """How many of the lowest."""
    name: str
    """What it is called; empty: nothing says so."""
    why: str
    """What speaks for it, for people; empty: an image of the same place has just these layers."""
    found_by: FoundBy
    digest: str = ""
    """Of its manifest, or of its index; empty: it is not known."""

    @property
    def is_known(self) -> bool:
        """Whether there is an image that has just these layers; else it is a guess."""
        return self.found_by not in {"times", "history"}

    def __str__(self) -> str:
        """Return it as a sentence without an end."""
        one = self.layers == 1
        layers, name = "layer 1" if one else f"layers 1-{self.layers}", self.name or "the base"
        why = f" ({self.why})" if self.why else ""
        if self.is_known:
            return f"{layers} {'is' if one else 'are'} all of {name}{why}"
        return f"{layers} {'looks' if one else 'look'} like {name}{why}"


def kept_layers(shared: int, base: Base | None) -> int:
    """Return how many of the lowest layers are better kept: they are shared, or the base."""
    return max(shared, base.layers if base else 0)
