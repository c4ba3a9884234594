"""The whole story: look at the layers, plan, write the new image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from lamella.errors import MalformedTar, Unsupported, UsageError
from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.sieve import sieves
from lamella.layer.protocols import LayerTar, Sieve
from lamella.merge.causes import Dropped, count_dropped
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.edits import NO_EDITS, Edits, meant_in_layer, meant_in_tree
from lamella.merge.emit import PlanTar
from lamella.merge.gc_pause import collector_paused
from lamella.merge.independent import difference_alone
from lamella.merge.nodes import newest_origin
from lamella.merge.overlay import Tree
from lamella.merge.patterns import PathPatterns
from lamella.merge.plan import Plan, make_plan
from lamella.progress import Progress
from lamella.rewrite import Wording, new_config
from lamella.selection import Selection
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.tar.entry import path_text
from lamella.transport.base import ImageWriter

__all__ = ["Prepared", "WrittenImage", "prepare", "reason_against", "write"]


@dataclass(frozen=True)
class Edited:
    """What edits have come to."""

    left_out: tuple[bytes, ...] = ()
    """Paths that the image showed and shows no more; of a directory its own alone."""
    shipped: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    """By position of a layer that is kept: which of the paths that are meant are in it still."""
    unused: tuple[str, ...] = ()
    """Patterns that match nothing in any layer."""


NOT_EDITED = Edited()


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that is known before a byte is written."""

    image: Image
    selection: Selection
    opener: LayerOpener
    tars: Mapping[int, LayerTar]
    """By position: the layers that were read; those below a range only if it depends on them."""
    plans: Mapping[range, Plan]
    edited: Edited = NOT_EDITED

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
        return sum(plan.size for plan in self.plans.values())

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


def prepare(  # noqa: PLR0913 - what is read, how, and what becomes of it
    image: Image,
    selection: Selection,
    opener: LayerOpener,
    progress: Progress,
    edits: Edits = NO_EDITS,
    *,
    headers_only: bool = False,
) -> Prepared:
    """Read headers and plan; no content is looked at.

    Args:
        image: the image.
        selection: which of its layers are squashed.
        opener: opens them.
        progress: is told.
        edits: what the merged layers are to say otherwise.
        headers_only: content of squashed layers will not be asked for.

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
    reading = _Reading(image, opener, headers_only=headers_only)
    with opener.explaining(), collector_paused():
        planned = _Planning(reading, ranges, edits)
        plans = planned.plans()
        edited = planned.edited()
    return Prepared(image, selection, opener, reading.tars, plans, edited)


def reason_against(image: Image) -> str:
    """Return why an image's layers can't be merged at all; empty if they can."""
    if image.config.text("os") == "windows":
        return "layers of Windows hold changes to registry hives, which only Windows can merge"
    return ""


class _Reading:
    """The layers of an image, each read once, when it is asked for."""

    def __init__(self, image: Image, opener: LayerOpener, *, headers_only: bool) -> None:
        self.image, self._opener, self._headers_only = image, opener, headers_only
        self.tars: dict[int, LayerTar] = {}
        self.changesets: dict[int, Changeset] = {}

    def squashed(self, ranges: Sequence[range]) -> None:
        """Read layers whose content will be copied."""
        if self._headers_only:
            self._listed([*chain(*ranges)])
            return
        layers: list[Layer] = []
        through: list[Sieve | None] = []
        for positions in ranges:
            squashed = self.image.layers[positions.start : positions.stop]
            layers += squashed
            through += sieves(squashed, positions.start)
        self._take(list(chain(*ranges)), self._opener.open(layers, through))

    def below(self, top: int) -> None:
        """Read the headers of layers whose content will not be copied, as a rule."""
        self._listed([position for position in range(top) if position not in self.tars])

    def _listed(self, positions: Sequence[int]) -> None:
        self._take(positions, self._opener.open_headers([self.image.layers[p] for p in positions]))

    def _take(self, positions: Sequence[int], opened: Sequence[LayerTar]) -> None:
        for position, tar in zip(positions, opened, strict=True):
            self.tars[position] = tar
            self.changesets[position] = _read(self.image.layers[position], tar, position)


class _Planning:
    """Plans each range; the layers below are looked at only as far as a range depends on them."""

    def __init__(self, reading: _Reading, ranges: Sequence[range], edits: Edits) -> None:
        self._reading, self._ranges, self._edits = reading, ranges, edits
        self._below = _Below(reading)
        self._left_out: list[bytes] = []
        self._matching = 0

    def plans(self) -> dict[range, Plan]:
        """Return the plan of each range that becomes another layer.

        Raises:
            UsageError: a layer that stays above them has a path that the image is not to have.
        """
        reading, edits, ranges = self._reading, self._edits, self._ranges
        reading.squashed(ranges)
        changesets = reading.changesets
        alone = {
            r: None if edits.leave_out else difference_alone([changesets[p] for p in r])
            for r in ranges
        }
        reading.below(max((r.start for r in ranges if alone[r] is None), default=0))
        plans: dict[range, Plan] = {}
        for positions in ranges:
            difference, before = alone[positions], len(self._left_out)
            if difference is None:
                difference = Tree(self._below.up_to(positions.start))
                lacks = bool(self._left_out)
                _lay(difference, changesets, positions, reading.image, lacks=lacks)
                self._leave_out(difference, positions.stop)
            plan = make_plan(difference, changesets, edits)
            if len(positions) > 1 or len(self._left_out) > before or plan.edited:
                plans[positions] = plan
        if edits.leave_out:
            self._check_above(edits.leave_out)
        return plans

    def _leave_out(self, difference: Tree, top: int) -> None:
        meant = self._edits.apply(difference)
        self._matching |= meant.matching
        self._left_out += meant.paths
        self._below.leave_out(top, meant.paths)

    def _check_above(self, patterns: PathPatterns) -> None:
        """See to it that no layer above the ranges brings back what was left out."""
        image = self._reading.image
        self._reading.below(len(image.layers))
        tree = self._below.up_to(len(image.layers))
        shown = meant_in_tree(tree, patterns).paths
        if not shown:
            return
        # Not always by that path: an entry may lead through a symlink that its own layer made.
        position = newest_origin(tree.find(shown[0]))
        first = self._ranges[0].start + 1 if self._ranges else position + 1
        raise UsageError(
            f"`exclude`: layer {position + 1} has /{path_text(shown[0])} and is above the "
            f"squashed layers; squash it, too: `layers` {first}-{position + 1}"
        )

    def edited(self) -> Edited:
        """Return what came of the edits; the plans are made."""
        patterns = self._edits.leave_out
        if patterns is None:
            return NOT_EDITED
        matching, shipped = self._matching, {}
        for position, changeset in sorted(self._reading.changesets.items()):
            meant = meant_in_layer(changeset, patterns)
            matching |= meant.matching
            if meant.paths and not any(position in positions for positions in self._ranges):
                shipped[position] = tuple(meant.paths)
        return Edited(tuple(self._left_out), shipped, tuple(patterns.unused(matching)))


class _Below:
    """The file system below a range, which grows from range to range."""

    def __init__(self, reading: _Reading) -> None:
        self._reading, self._tree, self._laid = reading, Tree(), 0
        self._left_out: list[tuple[int, list[bytes]]] = []
        self._lacks = False
        """Something was left out of the tree."""

    def leave_out(self, top: int, paths: list[bytes]) -> None:
        """Note what a range leaves out: above its last layer it is not there."""
        self._left_out.append((top, paths))

    def up_to(self, top: int) -> Tree:
        """Return what the layers below a position make."""
        for stop, paths in self._left_out:
            self._lay(stop)
            for path in paths:
                self._tree.leave_out(path)
                self._lacks = True
        self._left_out.clear()
        self._lay(top)
        return self._tree

    def _lay(self, top: int) -> None:
        reading, positions = self._reading, range(self._laid, top)
        _lay(self._tree, reading.changesets, positions, reading.image, lacks=self._lacks)
        self._laid = top


def _read(layer: Layer, tar: LayerTar, position: int) -> Changeset:
    try:
        return read_changeset(tar, position)
    except MalformedTar as error:
        raise error.at(layer.where) from error


def _lay(
    tree: Tree,
    changesets: Mapping[int, Changeset],
    positions: range,
    image: Image,
    *,
    lacks: bool = False,
) -> None:
    """Lay layers on a tree.

    Args:
        tree: is changed.
        changesets: of the layers, by position.
        positions: of those to lay.
        image: names them in errors.
        lacks: something was left out of what is below.

    Raises:
        UsageError: a layer links to a file that was left out.
        MalformedTar: a layer is damaged.
    """
    for position in positions:
        try:
            tree.apply(changesets[position])
        except MalformedTar as error:
            if lacks:
                raise UsageError(
                    f"`exclude`: layer {position + 1} has a {error.what}: that is left out of "
                    "a layer below; squash both layers in one range"
                ) from error
            raise error.at(image.layers[position].where) from error


def write(
    prepared: Prepared,
    writer: ImageWriter,
    wording: Wording,
    progress: Progress,
) -> WrittenImage:
    """Write the new image's layers, base first; all that was read is verified when this returns.

    Raises:
        DigestMismatch: a layer is not what it should be.
        OutputError: the destination is full, or went away.
    """
    image, opener = prepared.image, prepared.opener
    squashed = {position for positions in prepared.plans for position in positions}
    merged: dict[range, Digest] = {}
    descriptors: list[Descriptor] = []
    forms: list[Descriptor] = []
    starts = {positions.start: positions for positions in prepared.plans}
    kept = [image.layers[p] for p in range(len(image.layers)) if p not in squashed]
    for layer in kept:
        opener.check(layer)
    for position, layer in enumerate(image.layers):
        if position in starts:
            positions = starts[position]
            plan = prepared.plans[positions]
            progress.phase("write the merged layer", plan.size)
            tar = PlanTar(plan, prepared.tars, progress.advance)
            merged[positions], descriptor = writer.put_merged(tar)
            descriptors.append(descriptor)
        elif position not in squashed:
            progress.phase(f"keep layer {position + 1}", layer.blob.size)
            forms.append(writer.put_layer(layer))
            descriptors.append(forms[-1])
    progress.phase("verify layers")
    prepared.count_dropped()  # while the last layers are hashed by other threads
    opener.verify()
    config = image.config
    if merged:
        config = new_config(image, prepared.selection, merged, wording)
    return WrittenImage(config, tuple(descriptors), tuple(zip(kept, forms, strict=True)))
