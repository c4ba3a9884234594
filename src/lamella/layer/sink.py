"""What takes the layers of a new image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lamella.layer.blob import Layer, Merged
from lamella.layer.compression import Compression
from lamella.layer.opener import LayerOpener
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest

__all__ = ["LayerSink"]


class LayerSink(Protocol):
    """Takes the layers of a new image, base first."""

    def expect(self, kept: Sequence[Layer], new: int, compression: Compression) -> None:
        """Learn what will be put, before anything is.

        Args:
            kept: the layers that stay.
            new: bytes of new layers at the least.
            compression: of the new layers.

        Raises:
            OutputError: there is no room for it.
            Unsupported: the place takes no layers that are compressed so.
        """

    def put_layer(self, layer: Layer, opener: LayerOpener) -> Descriptor:
        """Take a layer that stays, and return the form in which it is stored there.

        Bytes the place has already are not moved.

        Compressed layers with a descriptor are checked against it while they are copied; for the
        others the caller asks `opener.check`.
        """

    def put_merged(self, merged: Merged, compression: Compression) -> tuple[Digest, Descriptor]:
        """Take a new layer; return its diff_id and its stored form."""
