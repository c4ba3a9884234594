"""Which images of a registry a pattern means."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from lamella.errors import ImageNotFound, UsageError
from lamella.transport.environment import Environment
from lamella.transport.patterns import is_pattern, matcher
from lamella.transport.registry.catalog import iter_repositories, iter_tags
from lamella.transport.registry.client import Registry
from lamella.transport.registry.connect import registry_of
from lamella.transport.registry.name import PREFIX
from lamella.transport.registry.repository import Repository
from lamella.waiting import finish

__all__ = ["iter_matches"]

_AT_ONCE = 8
"""Repositories that are asked for their tags at a time: as many as there are connections."""


def iter_matches(pattern: str, env: Environment) -> Iterator[str]:
    """Yield ``HOST/REPOSITORY:TAG`` of each image, by repository and tag.

    Args:
        pattern: what follows ``docker://``. Without a tag it means every tag.
        env: how to reach the registry.

    Raises:
        UsageError: the host is not said in full.
        ImageNotFound: the pattern names one repository, which does not exist.
        EngineError: the registry can't be asked, or has no catalogue.
    """
    host, slash, rest = pattern.partition("/")
    if not slash or is_pattern(host):
        raise UsageError(
            f"pattern '{PREFIX}{pattern}': expected {PREFIX}HOST/PATTERN, HOST in full"
        )
    names, _, tags = rest.partition(":")
    wanted = matcher(tags or "*")
    with env.connections.used():
        registry = registry_of(host, env)
        if not is_pattern(names):
            yield from _images(Repository(registry, names), wanted)
            return
        fits = matcher(names)
        found = sorted(name for name in iter_repositories(registry) if fits.fullmatch(name))
        with closing(_images_of_all(registry, found, wanted)) as images:
            yield from images


def _images_of_all(registry: Registry, names: list[str], wanted: re.Pattern[str]) -> Generator[str]:
    """Yield the images of some repositories, which are asked several at a time."""

    def images(name: str) -> list[str]:
        try:
            return _images(Repository(registry, name), wanted)
        except ImageNotFound:  # deleted since it was listed
            return []

    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lamella-list")
    try:
        for some in pool.map(images, names):
            yield from some
    finally:
        finish(pool)


def _images(repository: Repository, wanted: re.Pattern[str]) -> list[str]:
    return [
        f"{repository}:{tag}" for tag in sorted(filter(wanted.fullmatch, iter_tags(repository)))
    ]
