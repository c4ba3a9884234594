"""An image in an engine, as a source: described by the API; layers read in place or from a save."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamella.errors import (
    EngineError,
    EngineUnreachable,
    ImageError,
    ImageNotFound,
    InvalidReference,
    Unsupported,
)
from lamella.image import Image
from lamella.layer.blob import Blob, Layer
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import NotFetched, TarHeaders
from lamella.layer.partial.listings import ListingCache
from lamella.layer.protocols import LayerTar
from lamella.spec.config import Config
from lamella.spec.digest import Digest
from lamella.spec.platform import Platform
from lamella.spec.reference import Reference
from lamella.transport.base import Source
from lamella.transport.engine.connect import client_of
from lamella.transport.engine.description import History, describe_config, diff_ids_of
from lamella.transport.engine.names import choose_removal, tags_of
from lamella.transport.engine.options import EngineOptions
from lamella.transport.engine.save import SaveSelection, read_save
from lamella.transport.engine.saved_image import assemble
from lamella.transport.engine.store.base import Disk, StoreSelection
from lamella.transport.engine.store.docker import open_disk
from lamella.transport.environment import Environment

if TYPE_CHECKING:
    from lamella.transport.engine.client import EngineClient

__all__ = ["EngineSource"]


class EngineSource(Source):
    """An image in an engine."""

    def __init__(
        self,
        name: str,
        platform: Platform | None,
        options: EngineOptions,
        env: Environment,
        *,
        elsewhere: str = "",
    ) -> None:
        """Name an image; the engine is asked when something is wanted of it.

        Args:
            name: its name or ID.
            platform: which one is wanted; None: any.
            options: how the engine is reached.
            env: temporary folder, progress, connections.
            elsewhere: what was looked for in vain, for messages.
        """
        self._not_at = elsewhere
        self._also = f"{elsewhere}, and " if elsewhere else ""
        self._name, self._platform, self.options, self._env = name, platform, options, env
        self.home = options
        self._spool, self._progress = env.spool, env.progress
        self._image: Image | None = None
        self._id = ""
        self._inspected: Mapping[str, Any] = {}
        self._tars: list[LayerTar] | None = None
        self._lock = threading.Lock()
        self._files = ExitStack()
        self._disk: Disk | None = None
        self._cache = ListingCache(Path(options.cache)) if options.cache else None

    def close(self) -> None:
        """Close the files of the engine's store."""
        self._files.close()

    def _client(self) -> EngineClient:
        return client_of(self.options, self._env)

    # -- reading

    def describe(self) -> Image:
        """From inspect and history alone: no save. History IDs and tags included.

        Raises:
            ImageNotFound: the engine has no such image.
            Unsupported: it is for another platform than the one wanted.
        """
        if self._image is None:
            self._image = self._describe()
        return self._image

    def _describe(self) -> Image:
        inspected = self._inspect()
        self._id, self._inspected = inspected["Id"], inspected
        self._check_platform(inspected)
        total = len(diff_ids_of(inspected))
        history = History(self._history())
        made = history.layers(total, self._count)
        config = Config.parse(describe_config(inspected, history, made), self._name)
        sizes = [size for size, is_layer in zip(history.sizes, made, strict=True) if is_layer]
        sizes += [0] * (total - len(sizes))
        layers = tuple(
            _unread(diff_id, size, f"{self._name}: layer {number}")
            for number, (diff_id, size) in enumerate(zip(config.diff_ids, sizes, strict=False), 1)
        )
        return Image(self._name, config, layers, None, tags_of(inspected), history.ids)

    def _inspect(self) -> Mapping[str, Any]:
        try:
            Reference.parse(self._name)  # says better than the engine what is wrong with a name
            return self._client().inspect(self._name)
        except ImageNotFound as error:
            raise ImageNotFound(f"{self._also}{error}") from None
        except InvalidReference as error:
            if not self._not_at:
                raise
            raise ImageNotFound(f"{self._not_at}; {error}") from None  # it can only be a file
        except EngineUnreachable as error:
            raise error.after(self._not_at) from error

    def _history(self) -> Sequence[Mapping[str, Any]]:
        """Ask for the steps, newest first; say so if there is no telling."""
        told = self._client().history(self._id)
        if told is None:
            self._progress.note(
                f"{self._name}: Podman can't tell its history; what made its layers is not shown"
            )
        return told or []

    def _check_platform(self, inspected: Mapping[str, object]) -> None:
        wanted = self._platform
        parts = {key: inspected.get(key.capitalize()) for key in ("os", "architecture", "variant")}
        if wanted is not None and not wanted.matches(parts):
            found = "/".join(str(part) for part in parts.values() if part)
            raise Unsupported(
                f"{self._name}: the engine has it for {found}; expected {wanted}; "
                "save that platform to a file with docker or skopeo first"
            )

    def _count(self, image_id: str) -> int | None:
        found = self._client().find(image_id)
        return None if found is None else len(diff_ids_of(found))

    def beside(self, name: str) -> Image:
        """Describe another image of the same engine; see `describe`."""
        with EngineSource(name, self._platform, self.options, self._env) as another:
            return another.describe()

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Read layers where the engine keeps them, or out of one `docker save`.

        The save is streamed; only what is asked for goes to the spool, and layers whose headers
        are remembered are passed over.

        Raises:
            EngineError: the engine broke off, or has not all of the image.
            ImageError: what it saved is damaged.
        """
        found = self._fetch_in_place(content, listed - content)
        if found is not None:
            return found
        known = self._remembered(listed - content)
        wanted = SaveSelection(self.describe().diff_ids, content, listed - content - known.keys())
        image = self._fetch(wanted)
        self._remember(image.layers[position] for position in wanted.listed)
        blobs = [known.get(position, layer.blob) for position, layer in enumerate(image.layers)]
        layers = map(self._completed, range(len(blobs)), image.layers, blobs)
        return replace(image, layers=tuple(layers))

    def _remembered(self, positions: Iterable[int]) -> dict[int, Blob]:
        """Return what is remembered of layers whose headers are wanted."""
        if self._cache is None:
            return {}
        layers = self.describe().layers
        found = {p: self._cache.load(layers[p].diff_id, layers[p].where) for p in positions}
        return {position: headers for position, headers in found.items() if headers is not None}

    def _remember(self, layers: Iterable[Layer]) -> None:
        for layer in layers:
            if self._cache is not None and isinstance(layer.blob, TarHeaders):
                self._cache.save(layer.diff_id, layer.blob)

    def _fetch_in_place(self, content: frozenset[int], listed: frozenset[int]) -> Image | None:
        described = self.describe()
        if self.options.source == "api":
            return None
        try:
            disk = open_disk(self._client(), self._inspected, self._spool, self._files)
            wanted = StoreSelection(content, listed, self._elsewhere, self._cache)
            image = disk.read(described, wanted)
        except (OSError, ImageError) as error:
            self._not_in_place(error)
            return None
        self._disk = disk
        self._progress.debug(f"{self._name}: its layers are read where the engine keeps them")
        self._note_attestations(disk.metadata)
        return image

    def _not_in_place(self, error: Exception) -> None:
        if self.options.source == "local":
            message = f"can't read {self._name} where {self._client()} keeps it: {error}"
            raise EngineError(f"{message}; try `source` api") from error
        self._progress.debug(f"{self._name}: not read in place, but by the API: {error}")

    def _elsewhere(self, position: int, error: Exception) -> LayerTar:
        self._not_in_place(error)
        return self._content(position)

    def recheck(self) -> None:
        """See to it that an image that was read in place is still there, before it is relied on.

        Raises:
            EngineError: it was removed meanwhile.
        """
        if self._disk is None:
            return
        if not self._disk.recheck() or self._client().find(self._id) is None:
            raise EngineError(f"{self._name} was removed from {self._client()} while it was read")

    def _note_attestations(self, metadata: Iterable[bytes]) -> None:
        if any(b'"attestation-manifest"' in raw for raw in metadata):
            self._progress.note(f"{self._name}: its attestations are left out")

    def _fetch(self, wanted: SaveSelection) -> Image:
        described, client = self.describe(), self._client()
        self._progress.phase("read from the engine")
        with client.save(self._id, self._name) as stream:
            try:
                saved = read_save(stream, wanted, self._spool, self._name, self._progress.advance)
            except ImageError as error:
                said = stream.last_words()
                if not said:
                    raise
                raise EngineError(
                    f"{client} broke off while saving {self._name}: {said}"
                ) from error
        self._note_attestations(saved.metadata.values())
        return assemble(
            saved, wanted, described, self._spool, with_manifest=client.has_containerd_store
        )

    def _completed(self, position: int, layer: Layer, blob: Blob) -> Layer:
        """Give a layer of headers a way to its content.

        It is needed where a hard link in a squashed layer takes over a file of a lower one.
        """
        if not isinstance(blob, TarHeaders):
            return layer
        return replace(layer, blob=replace(blob, fetch=partial(self._content, position)))

    def _content(self, position: int) -> LayerTar:
        with self._lock:
            if self._tars is None:
                self._progress.debug("saving the image again, for the content of lower layers")
                diff_ids = self.describe().diff_ids
                every = frozenset(range(len(diff_ids)))
                whole = self._fetch(SaveSelection(diff_ids, every, frozenset()))
                with LayerOpener(self._spool) as opener:
                    self._tars = opener.open(whole.layers)
                    opener.verify()
            return self._tars[position]

    # -- names

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Local tags by the exact diff_ids of the image they belong to, sorted."""
        found: dict[tuple[Digest, ...], list[str]] = {}
        for listed in self._client().images():
            tags = tags_of(listed)
            inspected = self._client().find(listed["Id"]) if tags else None
            if inspected is not None:
                chain = tuple(Digest(diff_id) for diff_id in diff_ids_of(inspected))
                found.setdefault(chain, []).extend(tags)
        return {chain: sorted(tags) for chain, tags in found.items()}

    def remove(self, *, new_tags: Sequence[str]) -> str | None:
        """Remove the source image (`cleanup`); return why it was kept, if it was.

        What goes is the name that it was opened by, and the image with its last name; see
        `choose_removal`.
        """
        then = self.describe().tags
        inspected = self._client().find(self._id)
        if inspected is None:
            return None
        taken = [self.options.name(tag) for tag in new_tags]
        target, kept = choose_removal(self._name, then, tags_of(inspected), taken)
        return self._client().remove(target or self._id) if kept is None else kept


def _unread(diff_id: Digest, size: int, where: str) -> Layer:
    return Layer(diff_id, NotFetched(where, size), where, verified=True)
