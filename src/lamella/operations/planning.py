"""Plan each range of a squash: read its layers, lay them over what is below, leave out, change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

from lamella.analysis.secrets.allowed import Allowed
from lamella.errors import MalformedTar, UsageError
from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.layer.opener import LayerOpener, is_near
from lamella.layer.protocols import LayerTar, Sieve
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.cutting import NO_CUTTING, Cutting, Part, cut_whole
from lamella.merge.edits import Edits, meant_among, meant_in_tree
from lamella.merge.independent import difference_alone
from lamella.merge.nodes import newest_origin
from lamella.merge.overlay import Folder, Tree
from lamella.merge.patterns import NO_PATTERN, PathPatterns
from lamella.merge.plan import NameList, Plan
from lamella.operations.secrets import FoundSecret, secrets_among, secrets_shown
from lamella.spec.codec import Codec
from lamella.tar.entry import path_text

__all__ = ["Cut", "Edited", "Planning", "Reading"]


class Cut(NamedTuple):
    """A secret that is left out of a range."""

    secret: FoundSecret
    top: int
    """One more than the position of the range's last layer: what layers from there on say of the
    path stays."""


@dataclass(frozen=True)
class Edited:
    """What edits have come to."""

    left_out: tuple[bytes, ...] = ()
    """Paths that the image showed and shows no more; of a directory its own alone."""
    shipped: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)
    """By position of a layer that is kept: which of the paths that are meant are in it still."""
    unused: tuple[str, ...] = ()
    """Patterns that match nothing in any layer."""
    secrets: tuple[Cut, ...] = ()
    """Likely secrets that were left out."""
    kept_secrets: tuple[FoundSecret, ...] = ()
    """Likely secrets in layers that are kept."""


class Reading:
    """The layers of an image, each read once, when it is asked for."""

    def __init__(
        self, image: Image, opener: LayerOpener, *, headers_only: bool, finds_blocks: Codec | None
    ) -> None:
        self.image, self._opener, self._headers_only = image, opener, headers_only
        self._finds_blocks = finds_blocks
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
            through += _sieves(squashed, positions.start)
        opened = self._opener.open(layers, through, finds_blocks=self._finds_blocks)
        self._take(list(chain(*ranges)), opened)

    def ratios(self) -> dict[int, float]:
        """Return how many bytes are stored for one of a layer, where it is compressed."""
        sizes = ((p, self.image.layers[p].blob.size, tar.size) for p, tar in self.tars.items())
        return {position: stored / size for position, stored, size in sizes if stored < size}

    def others(self) -> None:
        """Read the layers that are not squashed, with their content."""
        positions = [p for p in range(len(self.image.layers)) if p not in self.tars]
        self._take(positions, self._opener.open([self.image.layers[p] for p in positions]))

    def below(self, top: int) -> None:
        """Read the headers of layers whose content will not be copied, as a rule."""
        self._listed([position for position in range(top) if position not in self.tars])

    def _listed(self, positions: Sequence[int]) -> None:
        self._take(positions, self._opener.open_headers([self.image.layers[p] for p in positions]))

    def _take(self, positions: Sequence[int], opened: Sequence[LayerTar]) -> None:
        for position, tar in zip(positions, opened, strict=True):
            self.tars[position] = tar
            self.changesets[position] = _read(self.image.layers[position], tar, position)


class Planning:
    """Plans each range; the layers below are looked at only as far as a range depends on them."""

    def __init__(  # noqa: PLR0913 - what is read, and what becomes of it
        self,
        reading: Reading,
        ranges: Sequence[range],
        edits: Edits,
        *,
        remove_secrets: bool = False,
        allowed: Allowed,
        cutting: Cutting = NO_CUTTING,
    ) -> None:
        """Plan nothing yet.

        Args:
            reading: the layers.
            ranges: of those that are squashed.
            edits: what the merged layers are to say otherwise.
            remove_secrets: what is likely a secret is left out, too.
            allowed: what is none.
            cutting: how merged layers are cut.
        """
        self.parts: dict[range, list[Part]] = {}
        """What takes the place of each range, where merged layers are cut."""
        self.cutting = cutting
        """With what is known of the layers."""
        self._reading, self._ranges, self._edits = reading, ranges, edits
        self._removes_secrets, self._allowed = remove_secrets, allowed
        self._below = _Below(reading)
        self._left_out: list[bytes] = []
        self._tops: dict[bytes, int] = {}  # of what is left out: the first layer above its range
        self._cuts: list[Cut] = []
        self._used: set[int] = set()
        self._staying: AbstractSet[bytes] = frozenset()

    def plans(self) -> dict[range, Plan]:
        """Return the plan of each range that becomes another layer.

        Raises:
            UsageError: a layer that stays above them has a path that the image is not to have.
        """
        reading, edits, ranges = self._reading, self._edits, self._ranges
        reading.squashed(ranges)
        if self.cutting.compresses:
            self.cutting = replace(self.cutting, ratios=reading.ratios())
        if self._removes_secrets:
            reading.others()
        changesets = reading.changesets
        leaves_out = edits.leave_out is not None or self._removes_secrets
        alone = {
            r: None if leaves_out else difference_alone([changesets[p] for p in r]) for r in ranges
        }
        reading.below(max((r.start for r in ranges if alone[r] is None), default=0))
        if edits.leave_out:
            self._staying = self._find_staying(edits.leave_out)
        plans: dict[range, Plan] = {}
        for positions in ranges:
            difference, before = alone[positions], len(self._left_out)
            if difference is None:
                difference = Tree(self._below.up_to(positions.start))
                lacks = bool(self._left_out)
                _lay(difference, changesets, positions, reading.image, lacks=lacks)
                self._leave_out(difference, positions.stop)
            names = NameList.of(difference, changesets, edits)
            plan = names.whole()
            self._note_dead(plan)
            parts = [] if self.cutting.is_none else cut_whole(names, plan, self.cutting)
            first = positions.start
            if (
                len(positions) > 1
                or len(self._left_out) > before
                or plan.changes_layer(first, reading.tars[first])
                or self._drops_secret(plan, first)
                or len(parts) > 1
            ):
                plans[positions], self.parts[positions] = plan, parts
        if leaves_out:
            reading.below(len(reading.image.layers))
            self._check_removals()
            self._check_above()
        return plans

    def _leave_out(self, difference: Tree, top: int) -> None:
        meant = self._edits.apply(difference, self._staying)
        self._used |= meant.used
        for path in meant.paths:
            self._tops.setdefault(path, top)
        tars = self._reading.tars
        removes = self._removes_secrets
        secrets = secrets_shown(difference, tars, self._allowed) if removes else []
        gone = dict.fromkeys(secret.path for secret in secrets)
        for path in gone:
            if isinstance(difference.find(path), Folder):
                self._tops.setdefault(path, top)
            difference.leave_out(path)
        self._cuts += [Cut(secret, top) for secret in secrets]
        paths = [*meant.paths, *gone]
        self._left_out += paths
        self._below.leave_out(top, paths)

    def _note_dead(self, plan: Plan) -> None:
        """Note which patterns mean what a range drops anyway."""
        patterns = self._edits.leave_out
        if patterns is None or len(self._used) == len(patterns.texts):
            return
        self._used |= meant_among((member for member, _ in plan.dropped), patterns).used
        for promotion in plan.promotions:
            patterns.match(promotion.gone, NO_PATTERN, self._used)

    def _drops_secret(self, plan: Plan, position: int) -> bool:
        """Whether a layer alone says a path twice, and what it says first is a secret."""
        if not self._removes_secrets:
            return False
        dropped = [member for member, _ in plan.dropped if member.origin == position]
        return bool(secrets_among(dropped, self._reading.tars[position], self._allowed))

    @property
    def _reaches_top(self) -> bool:
        """Whether no layer that is kept lies above the ranges."""
        return bool(self._ranges) and self._ranges[-1].stop == len(self._reading.image.layers)

    def _find_staying(self, patterns: PathPatterns) -> AbstractSet[bytes]:
        """Return the directories of which something is brought back in the image as a whole.

        What is brought back may be in another range, or in a layer that is kept.
        """
        reading, count = self._reading, len(self._reading.image.layers)
        if not patterns.bring_back or (self._reaches_top and len(self._ranges) == 1):
            return frozenset()
        reading.below(count)
        tree = Tree()
        _lay(tree, reading.changesets, range(count), reading.image)
        return meant_in_tree(tree, patterns).stay

    def _check_above(self) -> None:
        """See to it that no layer above the ranges brings back what was left out.

        A file in the place of a secret is another one; what is put into a folder that was left out
        would be in a folder without attributes.
        """
        image, patterns = self._reading.image, self._edits.leave_out
        if self._reaches_top and not self._cuts:
            return
        tree = self._below.up_to(len(image.layers))
        if patterns is not None and (shown := meant_in_tree(tree, patterns).paths):
            raise self._brought_back("`exclude`", shown[0], tree)
        for secret, _ in self._cuts:
            if isinstance(tree.find(secret.path), Folder):
                raise self._brought_back("`remove_secrets`", secret.path, tree)

    def _brought_back(self, option: str, path: bytes, tree: Tree) -> UsageError:
        # Not always by that path: an entry may lead through a symlink that its own layer made.
        position = newest_origin(tree.find(path))
        has = f"layer {position + 1} has"
        if not self._is_kept(position):
            position = len(self._reading.image.layers) - 1
            has = "a layer has the last of"  # it deletes what the directory stayed for
        first = self._ranges[0].start + 1 if self._ranges else position + 1
        return UsageError(
            f"{option}: {has} /{path_text(path)} and is above the "
            f"squashed layers; squash it, too: `layers` {first}-{position + 1}"
        )

    def _check_removals(self) -> None:
        """See to it that no layer that is kept deletes anything in a directory that is left out.

        Overlay engines make the directory for that.
        """
        for position, changeset in self._reading.changesets.items():
            if not self._is_kept(position):
                continue
            folders = {path.rpartition(b"/")[0] for path in changeset.whiteouts}
            for folder in folders.union(changeset.opaques):
                names = folder.split(b"/")
                for count in range(1, len(names) + 1):
                    path = b"/".join(names[:count])
                    if self._tops.get(path, position + 1) <= position:
                        raise UsageError(
                            f"{self._option_of(path)}: layer {position + 1} deletes something in "
                            f"/{path_text(path)}, which is left out of a layer below; squash both "
                            "layers in one range"
                        )

    def _option_of(self, path: bytes) -> str:
        by_secret = any(secret.path == path for secret, _ in self._cuts)
        return "`remove_secrets`" if by_secret else "`exclude`"

    def _is_kept(self, position: int) -> bool:
        return not any(position in positions for positions in self._ranges)

    def edited(self) -> Edited:
        """Return what came of the edits; the plans are made."""
        patterns = self._edits.leave_out or PathPatterns.parse(())
        used, shipped = self._used, {}
        kept_secrets: list[FoundSecret] = []
        for position, changeset in sorted(self._reading.changesets.items()):
            if not self._is_kept(position):
                continue
            if patterns.texts:
                meant = meant_among(changeset.entries, patterns)
                used |= meant.used
                if meant.paths:
                    shipped[position] = tuple(meant.paths)
            if self._removes_secrets:
                tar = self._reading.tars[position]
                kept_secrets += secrets_among(changeset.entries, tar, self._allowed)
        unused = tuple(patterns.unused(used))
        return Edited(
            tuple(self._left_out),
            shipped,
            unused,
            tuple(self._cuts),
            tuple(kept_secrets),
        )


class _Below:
    """The file system below a range, which grows from range to range."""

    def __init__(self, reading: Reading) -> None:
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


def _sieves(layers: Sequence[Layer], start: int) -> list[Sieve | None]:
    if any(map(is_near, layers)):
        return [None] * len(layers)
    from lamella.layer.partial.sieve import sieves  # noqa: PLC0415 - plain layers need none

    return sieves(layers, start)


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
                    f"layer {position + 1} has a {error.what}: `exclude` or `remove_secrets` "
                    "leaves that out of a layer below; squash both layers in one range"
                ) from error
            raise error.at(image.layers[position].where) from error
