"""``docker://``: images in registries."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamella.errors import UsageError
from lamella.transport.location import Location, Suggestion
from lamella.transport.registry.name import PREFIX, RegistryName

if TYPE_CHECKING:
    from lamella.spec.platform import Platform
    from lamella.transport.base import Destination, Source
    from lamella.transport.environment import Environment

__all__ = ["RegistryLocation", "parse_registry"]


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

    def _source(self, platform: Platform | None, env: Environment) -> Source:
        from lamella.transport.registry.source import RegistrySource  # noqa: PLC0415 - needs HTTP

        return RegistrySource(self.name, platform, env)

    def _destination(self, env: Environment) -> AbstractContextManager[Destination]:
        from lamella.transport.registry.destination import (  # noqa: PLC0415 - needs HTTP
            open_repository,
        )

        return open_repository(self.name, env)

    def home(self) -> RegistryLocation:
        """Return the same repository."""
        return RegistryLocation(self.name.tagged(""))

    def named(self, tags: Sequence[str]) -> tuple[RegistryLocation, tuple[str, ...]]:
        """Return the repository of a new image, and whole names for it, all of that repository.

        Names without a registry are of this one.

        Raises:
            UsageError: there are names of several repositories.
            InvalidReference: one is no name.
        """
        names = [self.name] if self.name.tag else []
        names += [RegistryName.parse_tag(tag, host=self.name.host) for tag in tags]
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
