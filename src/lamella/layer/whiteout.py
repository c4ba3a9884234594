"""The reserved names of a layer: ``.wh.NAME`` deletes, ``.wh..wh..opq`` hides all that is below.

https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
"""

from __future__ import annotations

__all__ = ["OPAQUE", "PREFIX", "is_reserved"]

PREFIX = b".wh."
OPAQUE = b".wh..wh..opq"

# What AUFS left in old images (`.wh..wh.plnk`, `.wh..wh.aufs`, `.wh..wh.orph`): no content.
RESERVED = b".wh..wh."


def is_reserved(name: bytes) -> bool:
    """Whether a base name is storage-driver metadata: neither a file nor a whiteout of one."""
    return name.startswith(RESERVED) and name != OPAQUE
