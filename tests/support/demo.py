"""The demo's image, which many tests look at, made once in each process."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from lamella.demo import write_demo_image

__all__ = ["put_demo"]


def put_demo(target: Path) -> Path:
    """Write the image as `write_demo_image` does; return the file."""
    target.write_bytes(_demo())
    return target


@functools.cache
def _demo() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "demo.tar"
        write_demo_image(made)
        return made.read_bytes()
