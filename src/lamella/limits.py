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
    "LISTING",
    "NAME",
    "NESTING",
    "PATH",
    "PIECE",
    "SPARSE_FILE",
    "SPARSE_PARTS",
    "WINDOW",
    "WINDOWS",
]

EXTENDED_HEADER = 1 << 20
"""Bytes of one PAX or GNU extended header, as Go's ``archive/tar`` has it (maxSpecialFileSize)."""

NAME = 255
"""Bytes of one name in a directory (Linux's NAME_MAX); a whiteout's prefix does not count."""

PATH = 4096
"""Bytes of a path or of the target of a link (Linux's PATH_MAX)."""

PIECE = 256 << 20
"""Bytes that a registry may ask a piece of an upload to have; it is kept in memory."""

SPARSE_FILE = 1 << 40
"""Bytes of a sparse file, holes included: unpacking or comparing it produces them all."""

SPARSE_PARTS = 26_000
"""Parts of a sparse file whose map is in headers.

It is rewritten as a map in the content. So many always fit into the 1 MiB that such a map has.
"""

DOCUMENT = 8 << 20
"""Bytes of a JSON document of an image: manifest, config, index.

Registries take 4 MiB (containers/image: iolimits), indexes of large layouts have more.
"""

NESTING = 500
"""Lists and objects of a JSON document, one in another. Go stops at 10,000, no tool writes 50."""

ANSWER = 1 << 20
"""Bytes of a short answer of another program: an error's body, a token, a login."""

LISTING = 64 << 20
"""Bytes of what an engine says of itself and of all its images: 100,000 of them have room."""

WINDOW = 1 << 29
"""Bytes of a zstd window or an xz dictionary (``zstd --long=29``).

Docker and Podman read zstd up to here (klauspost/compress: MaxWindowSize).
"""

WINDOWS = 640 << 20
"""Bytes of all windows and dictionaries that are in memory at the same time.

Layers beyond it wait for others: this is no error.
"""

LAYERS = 1000
"""Layers of an image whose ranges are all computed: a table that grows with their square.

Engines stack 125 (Docker's overlay2) to 500 (the kernel's overlay). A squash has no such limit.
"""
