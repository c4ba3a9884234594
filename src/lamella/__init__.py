"""Squash layers of container images, and leave every other layer as it is.

    >>> import lamella
    >>> with lamella.open_image("docker-archive:app.tar") as image:
    ...     print(len(image.layers))

`squash`, `analyze`, `open_image` and `verify` do what the commands of these names do; errors are
all `LamellaError`s. Names are loaded when they are first used, so ``import lamella`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lamella.analysis.model import Analysis
    from lamella.api import analyze, open_image, squash, verify
    from lamella.environment import Environment
    from lamella.errors import LamellaError
    from lamella.image import Image
    from lamella.operations.result import Result
    from lamella.rootfs import Difference

__all__ = [
    "Analysis",
    "Difference",
    "Environment",
    "Image",
    "LamellaError",
    "Result",
    "analyze",
    "open_image",
    "squash",
    "verify",
]

_HOMES = {
    "Analysis": "analysis.model",
    "Difference": "rootfs",
    "Environment": "environment",
    "Image": "image",
    "LamellaError": "errors",
    "Result": "operations.result",
    "analyze": "api",
    "open_image": "api",
    "squash": "api",
    "verify": "api",
}


def __getattr__(name: str) -> object:
    """Load a public name from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lamella' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lamella.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
