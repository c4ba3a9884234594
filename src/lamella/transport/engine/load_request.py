"""The request that loads an image: open from the first new layer to the last of the metadata."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lamella.layer.blob import Merged
from lamella.spec.digest import Digest

if TYPE_CHECKING:
    from lamella.transport.engine.client import EngineClient, Upload

__all__ = ["LoadRequest"]


class LoadRequest:
    """A load whose new layers are made while they are sent: there is no copy of them here.

    An archive without `manifest.json`, which is sent last, makes no image, and neither does one
    that breaks off: until `finish` the engine only has files that it throws away.
    """

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self._connection = ExitStack()
        self._upload: Upload | None = None
        self._layers: list[tuple[str, Merged]] = []

    def put(self, merged: Merged) -> tuple[str, Digest]:
        """Send a new layer; return its file's name in the archive, and its diff_id.

        Raises:
            EngineError: the engine doesn't want it, or broke off.
        """
        name = f"new-{len(self._layers)}.tar"
        diff_id = self._send(name, merged)
        self._layers.append((name, merged))
        return name, diff_id

    def finish(self, rest: Iterable[bytes]) -> list[str]:
        """Send the rest of the archive; return the lines of the answer.

        Done again, the new layers are sent again.

        Raises:
            LoadRefused: the engine says that it can't take it.
            EngineError: it broke off.
        """
        try:
            if self._upload is None:
                for name, merged in self._layers:
                    self._send(name, merged)
            upload = self._opened()
            for chunk in rest:
                upload.write(chunk)
            return upload.finish()
        finally:
            self.drop()

    def drop(self) -> None:
        """Hang up, whether it is finished or not."""
        self._upload = None
        self._connection.close()

    def _opened(self) -> Upload:
        if self._upload is None:
            self._upload = self._connection.enter_context(self._client.load())
        return self._upload

    def _send(self, name: str, merged: Merged) -> Digest:
        upload, header = self._opened(), tarfile.TarInfo(name)
        header.size = merged.size
        upload.write(header.tobuf(tarfile.PAX_FORMAT))
        diff_id = merged.write_to(upload.write)
        upload.write(bytes(-merged.size % tarfile.BLOCKSIZE))
        return diff_id
