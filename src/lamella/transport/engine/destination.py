"""Putting images into a Docker engine: what it lacks is sent, looked at, and only then named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from lamella.errors import EngineUnreachable
from lamella.image import Image
from lamella.layer.compression import NONE, Compression
from lamella.spec.codec import Codec
from lamella.spec.manifest import Manifest
from lamella.transport.base import Destination, NewImage, Source, newest_codec, staying
from lamella.transport.engine.connect import client_of
from lamella.transport.engine.image_writer import EngineImage
from lamella.transport.engine.inventory import Engine, Inventory
from lamella.transport.engine.load_request import LoadRequest
from lamella.transport.engine.options import EngineOptions
from lamella.transport.environment import Environment

__all__ = ["open_engine"]


@contextmanager
def open_engine(
    options: EngineOptions, env: Environment, bare: str = "", other: str = ""
) -> Iterator[Destination]:
    """Reach an engine now: it would be late to learn after the work that there is none.

    Args:
        options: how it is reached.
        env: temporary folder, progress, connections.
        bare: the output as the user typed it, if it has no prefix: it may mean something else.
        other: what to type for that.

    Raises:
        EngineError: it can't be reached.
    """
    try:
        client = client_of(options, env)
    except EngineUnreachable as error:
        taken = f"output {bare!r} is taken for the name of an image in an engine" if bare else ""
        raise error.after(taken, other) from error
    inventory = Inventory(client, has_containerd_store=client.has_containerd_store)
    with ExitStack() as stack:
        yield _EngineDestination(Engine(client, inventory, options, env), stack)


class _EngineDestination(Destination):
    """Loads what the engine lacks, checks, then tags."""

    def __init__(self, engine: Engine, stack: ExitStack) -> None:
        self._engine, self._stack = engine, stack
        self.home, self._inventory = engine.options, engine.inventory
        self._containerd = engine.inventory.has_containerd_store
        self.unpacks = not self._containerd

    def needs(self, image: Image, ranges: Sequence[range], source: Source) -> frozenset[int]:
        """Return positions of layers that stay, but whose content this engine lacks.

        It is asked before anything is fetched. Where the image is its own it has all of it; but the
        classic store finds layers by the stack they end, so what is above a new layer has to be
        sent again.
        """
        kept, within = staying(image, ranges), source.home == self.home
        if within and self._containerd:
            return frozenset()  # by digests that are not known yet
        if within:
            self._inventory.note(image.diff_ids)
        below = min((r.start for r in ranges), default=len(image.layers))
        stacks = [image.diff_ids[: p + 1] if p < below else () for p in range(len(image.layers))]
        has = self._inventory.has
        return frozenset(p for p in kept if not has(image.layers[p], stacks[p], seen=within))

    def open_image(self, new: NewImage) -> EngineImage:
        """Return what takes one image; how much room an engine has it doesn't say."""
        asked = new.compression
        if not self._containerd and asked and asked.kind != Codec.NONE and new.ranges:
            note = "this engine keeps layers unpacked: `compression` has no effect"
            self._engine.env.progress.note(note)
        compression = self.compression(new.image, asked)
        request = LoadRequest(self._engine.client)
        self._stack.callback(request.drop)  # a load that is not finished makes no image
        return EngineImage(self._engine, request, new, compression)

    def compression(self, image: Image, asked: Compression | None) -> Compression:
        """Plain for the classic store, which unpacks layers; else as asked, or as others are."""
        if not self._containerd:
            return NONE
        if asked:
            return asked
        manifest = image.manifest
        return Compression(newest_codec(manifest, Codec.NONE) if manifest else Codec.GZIP)

    def stored_manifest(self, manifest: Manifest) -> Manifest | None:
        """Return it as it is; None unless the store is containerd's, which alone keeps it."""
        return manifest if self._containerd else None
