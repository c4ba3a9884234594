"""``docker://``: images in registries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lamella.errors import UsageError
from lamella.transport.location import Glimpse, Location, Suggestion, annotations_of
from lamella.transport.registry.name import PREFIX, RegistryName

if TYPE_CHECKING:
    from lamella.image import Image
    from lamella.spec.platform import Platform
    from lamella.transport.base import Destination, Source
    from lamella.transport.environment import Environment
    from lamella.transport.registry.repository import Repository

__all__ = ["RegistryLocation", "match_registry", "parse_registry"]


@dataclass(frozen=True)
class RegistryLocation(Location):
    """An image in a registry; or a repository, where the name has neither tag nor digest."""

    name: RegistryName

    @property
    def keeps_manifest(self) -> bool:
        """Return that it does."""
        return True

    def pin(self, digest: str) -> str:
        """Return ``HOST/REPOSITORY@DIGEST``."""
        return f"{self.name.whole_repository}@{digest}"

    def __str__(self) -> str:
        """Return what a user would type."""
        return f"{PREFIX}{self.name}"

    def digest(self, env: Environment) -> str:
        """Ask for the digest alone: one request."""
        with env.connections.used():
            return str(self._repository(env).digest_of(self.name.reference))

    def look(self, env: Environment) -> Glimpse:
        """Fetch the manifest, or the index: one request."""
        from lamella.transport.answers import load_object  # noqa: PLC0415 - few ask

        with env.connections.used():
            stored = self._repository(env).manifest(self.name.reference)
        return Glimpse(str(stored.digest), annotations_of(load_object(stored.raw)))

    def pinned(self, digest: str) -> RegistryLocation:
        """Return the image of that digest, whatever becomes of its tag."""
        return RegistryLocation(replace(self.name, digest=digest))

    def beside(self, name: str) -> RegistryLocation:
        """Return another image, of the same registry unless its name says another."""
        return RegistryLocation(RegistryName.parse(name, host=self.name.host))

    def public_name(self, image: Image) -> str:
        """Return its name; without the digest if it has a tag."""
        del image
        return str(self.name.tagged(self.name.tag) if self.name.tag else self.name)

    def _repository(self, env: Environment) -> Repository:
        from lamella.transport.registry.connect import registry_of  # noqa: PLC0415 - needs HTTP
        from lamella.transport.registry.repository import Repository  # noqa: PLC0415 - as above

        return Repository(registry_of(self.name.host, env), self.name.repository)

    def _source(self, platform: Platform | None, env: Environment) -> Source:
        from lamella.transport.registry.source import RegistrySource  # noqa: PLC0415 - needs HTTP

        return RegistrySource(self.name, platform, env)

    def _destination(self, env: Environment) -> AbstractContextManager[Destination]:
        from lamella.transport.registry.destination import (  # noqa: PLC0415 - needs HTTP
            open_repository,
        )

        return open_repository(self.name, env)

    def parts(self) -> Mapping[str, str]:
        """Return host, repository, name and tag."""
        name = self.name
        last = name.repository.rpartition("/")[2]
        return {
            "host": name.host,
            "repository": name.repository,
            "name": last,
            "tag": name.tag,
        }

    def home(self) -> RegistryLocation:
        """Return the same repository."""
        return RegistryLocation(self.name.tagged(""))

    def named(self, tags: Sequence[str]) -> tuple[RegistryLocation, tuple[str, ...]]:
        """Return the repository of a new image, and whole names for it, all of that repository.

        Names without a registry are of this one; see `RegistryName.beside`.

        Raises:
            UsageError: there are names of several repositories.
            InvalidReference: one is no name.
        """
        names = [self.name] if self.name.tag else []
        names += [
            RegistryName.parse_tag(self.name.beside(tag), host=self.name.host) for tag in tags
        ]
        home = names[0] if names else self.name
        for name in names:
            if name.whole_repository != home.whole_repository:
                raise UsageError(
                    f"{name} is in another repository than {home}; squash to one after the other"
                )
        return RegistryLocation(home), tuple(dict.fromkeys(map(str, names)))

    def names(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return the names, which are whole already."""
        return tuple(dict.fromkeys(tags))

    def suggest(self, tags: Sequence[str] = ()) -> Suggestion:
        """Return another tag."""
        del tags
        return Suggestion(tag=str(self.name.tagged("slim")))


def parse_registry(text: str, *, output: bool) -> RegistryLocation:
    """Read ``docker://HOST/REPOSITORY[:TAG][@DIGEST]``.

    Raises:
        InvalidReference: it breaks the grammar, or an output has a digest.
    """
    parse = RegistryName.parse_tag if output else RegistryName.parse
    return RegistryLocation(parse(text))


def match_registry(pattern: str, env: Environment) -> Iterator[str]:
    """Yield what follows ``docker://``, for each image that a pattern means."""
    from lamella.transport.registry.matching import iter_matches  # noqa: PLC0415 - needs HTTP

    return iter_matches(pattern, env)
