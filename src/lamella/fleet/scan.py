"""Reads the layers of many images, each once, and tells the size of every layer there may be.

What a range of layers becomes depends on these and on those below, so it is known by the chain ID
of its last layer, and how many layers it has. An image whose layers are known that way, from this
run or an earlier one, costs no more than to look at its config; one that stands on known layers
costs its new ones, and the headers of the others, which are remembered too.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from lamella.analysis.facts import lay_image
from lamella.analysis.lifetimes import Laid
from lamella.analysis.savings import check_layers, savings
from lamella.errors import (
    Cancelled,
    EngineError,
    LamellaError,
    MalformedImage,
    OutputError,
    UsageError,
)
from lamella.files import TemporaryFolder
from lamella.fleet.ranges import Ranges, RangesCache
from lamella.fleet.tree import Catalogue, FleetImage, UnreadImage
from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.layer.opener import LayerOpener, is_near
from lamella.layer.partial.headers import TarHeaders
from lamella.layer.partial.listings import ListingCache
from lamella.layer.protocols import Remote
from lamella.layer_list import layer_lines
from lamella.operations.merge_layers import reason_against
from lamella.spec.digest import Digest
from lamella.spec.platform import Platform
from lamella.tar.entry import CHAR_DEVICE
from lamella.tar.reader import read_header
from lamella.transport.base import Source
from lamella.transport.environment import Environment
from lamella.transport.transports import locate
from lamella.waiting import finish

__all__ = ["Scanned", "ends_of_bases", "scan_fleet"]

_AHEAD = 8
"""Images that are looked up while one is read: as many as a registry has connections."""
_DEVICE = "it has the character device 0:0, which overlay engines take for a whiteout"


@dataclass(frozen=True)
class Scanned:
    """Some images, and all layers that their layers might become."""

    catalogue: Catalogue
    rows: tuple[Sequence[int], ...]
    """For each node: bytes of each layer that ends with it, by the depth of its first node."""
    read: int
    """How many images had to be read; the others were known."""
    unread: tuple[UnreadImage, ...] = ()
    """Those that can't be."""

    def sizes(self, number: int) -> Sequence[int]:
        """Return what `choose_plan` asks for."""
        return self.rows[number]


def scan_fleet(references: Sequence[str], platform: Platform | None, env: Environment) -> Scanned:
    """Read images, as far as they are not known; one that can't be read does not stop the others.

    If it ends early, what was read is remembered, unless nothing may be: the next run goes on from
    there.

    Args:
        references: of the images.
        platform: of images for several; None: this machine's.
        env: how to reach them, and where layers are remembered.

    Raises:
        Cancelled: the work was cancelled.
        LamellaError: none can be read.
    """
    if env.registry.cache is not None:
        return _Scan(platform, env, Path(env.registry.cache)).run(references)
    where = None if env.tmp_dir is None else os.fspath(env.tmp_dir)
    try:
        folder = TemporaryFolder("lamella-fleet-", where)
    except OSError as error:
        raise OutputError(f"can't make a temporary folder: {error.strerror}") from error
    with folder:
        cache = str(folder.path)
        env = replace(
            env,
            engine=replace(env.engine, cache=cache),
            registry=replace(env.registry, cache=cache),
        )
        return _Scan(platform, env, folder.path).run(references)


def ends_of_bases(
    bases: Sequence[str], catalogue: Catalogue, platform: Platform | None, env: Environment
) -> list[Digest]:
    """Return the chain IDs of the last layers of bases; nothing but their configs is read.

    Args:
        bases: references of images, or chain IDs.
        catalogue: the images that are built on them.
        platform: as for `scan_fleet`.
        env: as for `scan_fleet`.

    Raises:
        UsageError: no image of the catalogue is built on one.
        LamellaError: a base can't be read, or is malformed.
    """
    there = {node.chain_id for node in catalogue.nodes}
    found = []
    for base in bases:
        if (chain_id := Digest(base)) not in there:
            with locate(base, env).open_source(platform, env) as source:
                chain_id = (source.describe().chain_ids or [chain_id])[-1]
        if chain_id not in there:
            raise UsageError(f"`keep` {base}: none of these images is built on it")
        found.append(chain_id)
    return found


@dataclass(frozen=True)
class _Found:
    """What is kept of one image; of its rows, which others share, nothing."""

    sizes: tuple[int, ...]
    dead: tuple[int, ...]
    has_device: bool

    @classmethod
    def of(cls, ranges: Ranges) -> _Found:
        return cls(tuple(row[-1] for row in ranges.rows), ranges.dead, ranges.has_device)


class _LookedUp(NamedTuple):
    """An image that was looked up; a context in which it is read."""

    source: Source
    stack: ExitStack

    def __enter__(self) -> Source:
        return self.source

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.stack.close()


class _Scan:
    """One run over all images."""

    def __init__(self, platform: Platform | None, env: Environment, folder: Path) -> None:
        self._platform, self._env = platform, env
        self._listings, self._known = ListingCache(folder), RangesCache(folder)
        self._rows: dict[Digest, Sequence[int]] = {}
        """By chain ID."""
        self._found: dict[Digest, _Found] = {}
        """By the chain ID of an image's last layer."""
        self._read = 0

    def run(self, references: Sequence[str]) -> Scanned:
        images, errors = [], dict[str, LamellaError]()
        with closing(self._opened_ahead(references)) as opened:
            for number, (reference, opening) in enumerate(opened, 1):
                self._env.progress.phase(f"image {number} of {len(references)}")
                try:
                    with opening.result() as source:
                        images.append(self._image(reference, source))
                except Cancelled:
                    raise
                except LamellaError as error:
                    self._env.connections.check()
                    errors[reference] = error
        if errors and not images:
            raise self._told(errors)
        catalogue = Catalogue.of(images)
        rows = tuple(self._rows[node.chain_id] for node in catalogue.nodes)
        unread = (UnreadImage(name, str(e), e.exit_code) for name, e in errors.items())
        return Scanned(catalogue, rows, self._read, tuple(unread))

    def _opened_ahead(self, references: Sequence[str]) -> Generator[tuple[str, Future[_LookedUp]]]:
        """Yield images in order, some of which are looked up while one is read.

        Most are known, and then all the time goes into waiting for their two documents.
        """
        pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="lamella-scan")
        pending: deque[tuple[str, Future[_LookedUp]]] = deque()
        try:
            for reference in references:
                pending.append((reference, pool.submit(self._open, reference)))
                if len(pending) > _AHEAD:
                    yield pending.popleft()
            while pending:
                yield pending.popleft()
        finally:
            finish(pool)
            for _, opening in pending:
                if opening.done() and not opening.cancelled() and opening.exception() is None:
                    opening.result().close()

    def _open(self, reference: str) -> _LookedUp:
        with ExitStack() as stack:
            location = locate(reference, self._env)
            source = stack.enter_context(location.open_source(self._platform, self._env))
            source.describe()
            return _LookedUp(source, stack.pop_all())

    def _told(self, errors: Mapping[str, LamellaError]) -> LamellaError:
        """Tell of all images that can't be read but one; return the error of that one."""
        worst = max(errors.values(), key=lambda error: isinstance(error, EngineError))
        for name, error in errors.items():
            if error is not worst:
                self._env.progress.note(f"{name}: {str(error).removeprefix(f'{name}: ')}")
        return worst

    def _image(self, reference: str, source: Source) -> FleetImage:
        image = source.describe()
        if not image.layers:
            raise MalformedImage(image.name, "it has no layers")
        check_layers(len(image.layers))
        chain = image.chain_ids
        if chain[-1] not in self._found:
            ranges = self._known.load(chain[-1], len(chain)) or self._ranges(source)
            self._found[chain[-1]] = _Found.of(ranges)
            for chain_id, row in zip(chain, ranges.rows, strict=True):
                if chain_id not in self._rows:
                    self._rows[chain_id] = array("q", row)
        found = self._found[chain[-1]]
        return FleetImage(
            name=reference,
            diff_ids=image.diff_ids,
            sizes=found.sizes,
            dead=found.dead,
            steps=tuple(line.command for line in layer_lines(image)),
            id=str(image.id),
            digest=str(image.manifest.digest) if image.manifest else "",
            fixed=reason_against(image) or (_DEVICE if found.has_device else ""),
        )

    def _ranges(self, source: Source) -> Ranges:
        """Read the headers of an image's layers."""
        image = source.fetch(frozenset(), frozenset(range(len(source.describe().layers))))
        self._read += 1
        with LayerOpener(self._env.spool) as opener:
            image = replace(image, layers=tuple(self._at_hand(x, opener) for x in image.layers))
            with opener.explaining():
                laid = lay_image(image, opener)
            opener.verify()
            self._remember(image, opener)
            found = _told(laid)
        self._known.save(image.chain_ids[-1], found)
        return found

    def _at_hand(self, layer: Layer, opener: LayerOpener) -> Layer:
        """Return a layer whose headers are known, so that it is not unpacked again.

        Layers that are far away are looked up by those who fetch them.
        """
        if not _is_packed(layer):
            return layer
        known = self._listings.load(layer.diff_id, layer.where)
        if known is None:
            return layer
        headers = replace(known, fetch=lambda: opener.open([layer])[0])
        return replace(layer, blob=headers, verified=True)

    def _remember(self, image: Image, opener: LayerOpener) -> None:
        packed = [layer for layer in image.layers if _is_packed(layer)]
        for layer, tar in zip(packed, opener.open_headers(packed), strict=True):
            self._listings.save(layer.diff_id, tar)


def _is_packed(layer: Layer) -> bool:
    """Whether a layer lies here, but must be unpacked to be read."""
    return not isinstance(layer.blob, Remote | TarHeaders) and not is_near(layer)


def _told(laid: Laid) -> Ranges:
    told, count = savings(laid), len(laid.changesets)
    dead = [0] * count
    for member, _, _ in laid.dead():
        dead[member.origin] += member.span
    rows = [
        tuple(told[first, last].after for first in range(1, last + 1))
        for last in range(1, count + 1)
    ]
    return Ranges(tuple(rows), tuple(dead), _has_device(laid))


def _has_device(laid: Laid) -> bool:
    """Whether there is a character device that no merged layer may have."""
    for changeset in laid.changesets:
        for member in changeset.entries:
            if member.type == CHAR_DEVICE:
                header = read_header(changeset.source, member)
                if header.devmajor == header.devminor == 0:
                    return True
    return False
