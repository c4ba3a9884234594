"""What an analysis finds, as values: for reports, for programs, for tests.

Sizes are bytes of layer tars (headers and padding included), layers are numbered from 1 as
`lamella layers` does. Dead is what a squash of the whole image would leave out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamella.analysis.known_base import Base, kept_layers
from lamella.merge.causes import Cause, Dropped

__all__ = [
    "Analysis",
    "Dead",
    "HistoryLine",
    "LayerFacts",
    "LiveCache",
    "Saving",
    "Secret",
    "Setup",
    "Usage",
    "Waste",
]


@dataclass(frozen=True)
class LayerFacts:
    """One layer."""

    number: int
    id: str
    """As `lamella layers` shows it: of the image that ended with it, else the chain ID."""
    diff_id: str
    command: str
    """The step that made it; empty where the history doesn't tell."""
    tags: tuple[str, ...]
    entries: int
    whiteouts: int
    """Whiteouts and opaque markers."""
    size: int
    stored: int
    """As it is stored, maybe compressed; `size` where that is not known."""
    live: int
    """Entries that the image still shows."""
    dead: Dropped
    """Entries that a later layer takes away, by cause."""

    @property
    def other(self) -> int:
        """Whiteouts, storage-driver leftovers and the end of the archive."""
        return self.size - self.live - self.dead.total


@dataclass(frozen=True)
class Dead:
    """A path of which a layer has bytes that no later image shows; a directory with all in it.

    A directory stands for all that the layer has in it if no file of that is left; the directory
    itself may live on (``rm -r cache/*``), and what other layers have in it is theirs.
    """

    path: bytes
    directory: bool
    size: int
    entries: int
    layer: int
    """Which made it."""
    by: int
    """Which took it away; of a directory, the last of it."""
    cause: Cause
    """``deleted``, ``overwritten``, ``metadata`` or ``duplicate``, as in `Dropped`; of a directory
    the one with most bytes."""


@dataclass(frozen=True)
class Secret:
    """A file that should not have been in any layer."""

    path: bytes
    kind: str
    """What it looks like, for people: ``private key``, ``cloud credentials``, …"""
    layer: int
    removed_by: int | None
    """The layer that takes it away, and yet it ships; None: the image shows it."""


@dataclass(frozen=True)
class Saving:
    """What squashing layers `first` to `last` would bring, to the byte."""

    first: int
    last: int
    before: int
    after: int

    @property
    def saved(self) -> int:
        """Negative where the merged layer is bigger."""
        return self.before - self.after


@dataclass(frozen=True)
class Usage:
    """A directory, or a big file, with live and dead bytes of all layers: where the bytes are."""

    name: bytes
    live: int
    dead: int
    entries: int
    kids: tuple[Usage, ...]
    """The biggest; what is left of the sums lies in what is too small to be told."""
    layers: tuple[tuple[int, int], ...] = ()
    """Which layers the live bytes are in, lowest first, and how many each has."""


@dataclass(frozen=True)
class Waste:
    """Dead bytes of one layer that one other takes away, for one cause, in one kind of place."""

    layer: int
    by: int
    cause: Cause
    cache: str
    """Of which package manager they are the cache, as in `analysis.caches`; empty: of none."""
    path: bytes
    """What all of them are in; of a single one, its own."""
    size: int
    entries: int


@dataclass(frozen=True)
class LiveCache:
    """What a layer has of a package manager's cache, and the image still shows."""

    layer: int
    cache: str
    """Whose, as in `analysis.caches`."""
    path: bytes
    size: int
    entries: int


@dataclass(frozen=True)
class HistoryLine:
    """One step of the history."""

    layer: int | None
    """Its layer; None: it only changed the config."""
    command: str


@dataclass(frozen=True)
class Setup:
    """What the config says of a container; empty where it says nothing."""

    created: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    """``Entrypoint``, ``Cmd``, ``User``, …, lists as JSON."""
    env: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    history: tuple[HistoryLine, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """All of it."""

    reference: str
    id: str
    platform: str
    tags: tuple[str, ...]
    layers: tuple[LayerFacts, ...]
    savings: Mapping[tuple[int, int], Saving]
    """For each first and last layer."""
    dead: tuple[Dead, ...]
    """The biggest, biggest first, none inside another."""
    secrets: tuple[Secret, ...] | None
    """None: not looked for."""
    root: Usage
    efficiency: float
    """As dive counts it: 1 where no path is stored twice; https://github.com/wagoodman/dive."""
    wasted: int
    """As dive counts it: bytes of paths that are stored more than once."""
    user_bytes: int = 0
    """As dive counts it: content of all files above the first layer."""
    shared: int = 0
    """How many of the lowest layers other images of the same engine have, too."""
    base: Base | None = None
    """A guess; None: there is none to make."""
    wastes: tuple[Waste, ...] = ()
    """All dead bytes: who made them, who took them away, and why."""
    caches: tuple[LiveCache, ...] = ()
    setup: Setup = Setup()

    @property
    def total(self) -> int:
        """Bytes of all layers."""
        return sum(layer.size for layer in self.layers)

    @property
    def kept(self) -> int:
        """How many of the lowest layers are better kept: they are shared, or the base."""
        return kept_layers(self.shared, self.base)

    def sharing_lost(self, saving: Saving) -> int:
        """Bytes of layers that would no longer be shared: they stay for others, and come again."""
        if saving.first == saving.last:
            return 0
        return sum(
            layer.size for layer in self.layers[saving.first - 1 : min(saving.last, self.shared)]
        )

    @property
    def dead_bytes(self) -> int:
        """Bytes of dead entries."""
        return sum(layer.dead.total for layer in self.layers)

    @property
    def live_bytes(self) -> int:
        """Bytes of live entries."""
        return sum(layer.live for layer in self.layers)
