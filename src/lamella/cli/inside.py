"""An image that a command looks into, and what it is told on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamella.api import Environment
    from lamella.inside.image import OpenImage

__all__ = ["open_told"]


@contextmanager
def open_told(image: str, platform: str | None, env: Environment) -> Iterator[OpenImage]:
    """Open an image; say which of several platforms it is for, if none was chosen.

    Raises:
        LamellaError: there is no such image, or it is malformed.
    """
    from lamella import api  # noqa: PLC0415 - completion needs the options alone

    with api.open_image(image, platform=platform, env=env) as inside:
        if platform is None and inside.platforms:
            env.progress.note(inside.choice)
        env.progress.phase("read layers")
        yield inside
