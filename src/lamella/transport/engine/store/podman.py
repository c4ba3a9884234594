"""Layers read where Podman keeps them: an overlay store of its storage library, root's or a user's.

Below the root of the storage:

- ``overlay-layers/layers.json``: all layers, each with its parent and its diff_id
- ``overlay-layers/ID.tar-split.gz`` and ``overlay/ID/diff``: a layer taken apart, see
  `lamella.transport.engine.store.tar_split`
- ``overlay-images/ID/``: an image's config and manifest, each in a file

https://github.com/containers/storage/blob/v1.59.1/layers.go

Nothing is written. The list of layers is read under the lock that all who write it hold; what is
read is compared with its digest, as from anywhere else.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lamella.errors import Unsupported
from lamella.image import Image
from lamella.layer.blob import Layer
from lamella.layer.spool import Spool
from lamella.spec.digest import Digest
from lamella.transport.engine.store.base import (
    Seen,
    StoreSelection,
    read_small,
    same_image,
    split_layers,
)
from lamella.transport.engine.store.tar_split import SplitLayer

__all__ = ["PodmanStore"]

_LAYER_ID = re.compile(r"[0-9a-f]{64}")
_MAPPED = ("uidmap", "gidmap")
# Beside the layer's files: what says that they are not under their names.
_ELSEWHERE = {"composefs-data": "composefs", "additionallayer": "an additional layer store"}


class PodmanStore:
    """One image in it; a `Disk`.

    Args:
        root: of the storage.
        top: the ID of the image's uppermost layer.
        image_id: the digest of its config.
        spool: takes headers.
    """

    def __init__(self, root: Path, top: str, image_id: Digest, spool: Spool) -> None:
        self.metadata: list[bytes] = []
        self._root, self._top, self._id, self._spool = root, top, image_id, spool
        self._seen = Seen()

    @classmethod
    def of(cls, inspected: Mapping[str, Any], spool: Spool) -> PodmanStore:
        """Find an image by what Podman says of it: asking for its settings takes 0.2 s.

        Raises:
            Unsupported: it is not a store that can be read in place.
        """
        driver = inspected.get("GraphDriver") or {}
        if driver.get("Name") != "overlay":
            raise Unsupported(f"storage driver {driver.get('Name')}; expected overlay")
        upper = Path(str((driver.get("Data") or {}).get("UpperDir") or ""))
        root, top = upper.parent.parent.parent, upper.parent.name
        if not upper.is_absolute() or upper != root / "overlay" / top / "diff":
            raise Unsupported("the engine does not say where its data are")
        return cls(root, top, Digest.parse(inspected["Id"]), spool)

    def recheck(self) -> bool:
        """Whether all that was read from is still there."""
        return self._seen.recheck()

    def read(self, image: Image, wanted: StoreSelection) -> Image:
        """Return the image with layers that can be read; see `Disk`."""
        name = base64.b64encode(self._id.encode()).decode()
        path = self._root / "overlay-images" / self._id.hex / f"={name}"
        config = same_image(image, read_small(path, self._id))
        if config is None:
            raise Unsupported("the image changed meanwhile")
        self._seen.add(path)
        try:
            places = self._places(image)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise Unsupported("unknown form of layers.json") from error
        return split_layers(replace(image, config=config), places, wanted, self._spool)

    def _places(self, image: Image) -> list[tuple[SplitLayer, int]]:
        folder = self._root / "overlay-layers"
        with _shared(folder / "layers.lock"):
            raw = read_small(folder / "layers.json")  # volatile-layers.json is for containers
        chain = _chain({record["id"]: record for record in json.loads(raw)}, self._top)
        if [record["diff-digest"] for record in chain] != list(image.diff_ids):
            raise Unsupported("other layers in the place of the image's")
        return [self._place(*pair) for pair in zip(chain, image.layers, strict=True)]

    def _place(self, record: Mapping[str, Any], layer: Layer) -> tuple[SplitLayer, int]:
        layer_id = record["id"]
        if not _LAYER_ID.fullmatch(layer_id):
            raise ValueError
        if any(record.get(key) for key in _MAPPED):
            raise Unsupported(f"{layer.where}: stored with mapped user IDs")
        if (record.get("flags") or {}).get("incomplete"):
            raise Unsupported(f"{layer.where}: not all of it is there")
        folder = self._root / "overlay" / layer_id
        for name, kind in _ELSEWHERE.items():
            if os.path.lexists(folder / name):
                raise Unsupported(f"{layer.where}: kept by {kind}")
        headers = self._root / "overlay-layers" / f"{layer_id}.tar-split.gz"
        self._seen.add(headers)
        self._seen.add(folder / "diff")
        place = SplitLayer(headers, folder / "diff", layer.diff_id, layer.where)
        return place, int(record.get("diff-size") or 0)


def _chain(records: Mapping[str, dict[str, Any]], top: str) -> list[dict[str, Any]]:
    """Return a layer and all below it, the lowest first."""
    chain: list[dict[str, Any]] = []
    while top and len(chain) <= len(records):
        if top not in records:
            raise Unsupported(f"the storage has no layer {top}")
        chain.append(records[top])
        top = records[top].get("parent") or ""
    return chain[::-1]


@contextmanager
def _shared(path: Path) -> Iterator[None]:
    """Hold a lock of the storage as its readers do, and wait for a writer."""
    with path.open("rb") as lock:
        fcntl.lockf(lock, fcntl.LOCK_SH)
        yield
