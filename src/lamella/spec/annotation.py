"""Keys of annotations with a meaning for everybody, and of labels that have taken them over.

https://github.com/opencontainers/image-spec/blob/main/annotations.md
"""

from __future__ import annotations

__all__ = ["ABOUT_BASE", "BASE_DIGEST", "BASE_NAME"]

BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
ABOUT_BASE = frozenset({BASE_NAME, BASE_DIGEST})
