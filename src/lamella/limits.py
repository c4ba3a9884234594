"""The one table of limits: how large a part of an input may be before it is refused.

Each bounds memory or time that an input could otherwise ask for without being as large itself.
Where engines or the kernel have a limit, it is theirs. Whoever checks a limit names it in the
error: what is too large, how large it may be, and what was found.
"""

from __future__ import annotations

__all__ = [
    "ANSWER",
    "DOCUMENT",
    "EXTENDED_HEADER",
    "LAYERS",
    "NAME",
    "PATH",
]

EXTENDED_HEADER = 1 << 20
"""Bytes of one PAX or GNU extended header, as Go's ``archive/tar`` has it (maxSpecialFileSize)."""

NAME = 255
"""Bytes of one name in a directory (Linux's NAME_MAX); a whiteout's prefix does not count."""

PATH = 4096
"""Bytes of a path or of the target of a link (Linux's PATH_MAX)."""

DOCUMENT = 8 << 20
"""Bytes of a JSON document of an image: manifest, config, index.

Registries take 4 MiB (containers/image: iolimits), indexes of large layouts have more.
"""

ANSWER = 1 << 20
"""Bytes of a short answer of another program: an error's body, a token, a login."""

LAYERS = 1000
"""Layers of an image of which every range is told: a table that grows with their square.

Engines stack 125 (Docker's overlay2) to 500 (the kernel's overlay). A squash has no such limit.
"""
