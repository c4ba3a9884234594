"""Which images of an engine a pattern means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lamella.transport.engine.connect import client_of
from lamella.transport.environment import Environment
from lamella.transport.patterns import matcher

__all__ = ["iter_matches"]

_NO_NAME = "<none>:<none>"


def iter_matches(pattern: str, env: Environment, *, podman: bool) -> Iterator[str]:
    """Yield images by each of their names, in order.

    Args:
        pattern: of a name. Without a tag it means every tag.
        env: how to reach the engine.
        podman: whether it is Podman, where ``localhost/`` may be left out.

    Raises:
        EngineError: it can't be asked.
    """
    whole = pattern if ":" in pattern.rpartition("/")[2] else f"{pattern}:*"
    fits = matcher(whole)
    with env.connections.used():
        client = client_of(replace(env.engine, podman=podman), env)
        names = {name for image in client.images() for name in image.get("RepoTags") or ()}
    for name in sorted(names - {_NO_NAME}):
        if fits.fullmatch(name.removeprefix("localhost/")) or fits.fullmatch(name):
            yield name
