"""How layers are compressed."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Codec"]


class Codec(StrEnum):
    """How a layer is stored. OCI has names for the first three; all can be read."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    XZ = "xz"
    BZIP2 = "bzip2"
