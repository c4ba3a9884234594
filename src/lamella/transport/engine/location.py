"""``NAME``, ``docker-daemon:`` and ``podman:``: images of engines."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lamella.errors import InvalidReference, LamellaError
from lamella.spec.reference import Reference
from lamella.transport.engine.host import find_host
from lamella.transport.engine.names import docker_name, podman_name
from lamella.transport.location import Location, Suggestion, slim
from lamella.transport.registry.name import RegistryName

if TYPE_CHECKING:
    from lamella.image import Image
    from lamella.spec.platform import Platform
    from lamella.transport.base import Destination, Source
    from lamella.transport.engine.options import EngineOptions
    from lamella.transport.environment import Environment

__all__ = ["EngineLocation", "match_engine", "parse_engine"]

_Prefix = Literal["", "docker-daemon", "podman"]
_ID = re.compile(r"sha256:[0-9a-f]+|[0-9a-f]{4,64}")
"""What may be an image's ID, or the start of one."""


@dataclass(frozen=True)
class EngineLocation(Location):
    """An image of an engine, or the engine alone, where the name is empty."""

    prefix: _Prefix
    """Empty: not said, which is Docker."""
    name: str
    elsewhere: str = field(default="", compare=False)
    """What was looked for in vain under a bare name, for messages: ``no file 'app' here``."""
    other: str = field(default="", compare=False)
    """What to type if a bare output means something else: ``for a registry: docker://…``."""

    def __str__(self) -> str:
        """Return what a user would type."""
        return f"{self.prefix}:{self.name}" if self.prefix else self.name

    @property
    def is_bare(self) -> bool:
        """Whether nothing but a name was said."""
        return not self.prefix

    def _options(self, env: Environment) -> EngineOptions:
        return replace(env.engine, podman=self.prefix == "podman")

    def _source(self, platform: Platform | None, env: Environment) -> Source:
        from lamella.transport.engine.source import EngineSource  # noqa: PLC0415 - needs HTTP

        options = self._options(env)
        return EngineSource(self.name, platform, options, env, elsewhere=self.elsewhere)

    def _destination(self, env: Environment) -> AbstractContextManager[Destination]:
        from lamella.transport.engine.destination import open_engine  # noqa: PLC0415 - needs HTTP

        return open_engine(self._options(env), env, self.name if self.is_bare else "", self.other)

    def beside(self, name: str) -> EngineLocation:
        """Return another image of the same engine."""
        return EngineLocation(self.prefix, name)

    def public_name(self, image: Image) -> str:
        """Return what the engine means by its name; an ID is no name."""
        spelled = self.names([self.name.partition("@")[0]])[0]
        if _ID.fullmatch(self.name) and spelled not in image.tags:
            return ""
        return spelled if self.prefix == "podman" else str(RegistryName.parse(spelled))

    def has_image(self, env: Environment) -> bool:
        """Whether there is an engine that has the image; that there is none is no error here."""
        try:
            options = self._options(env)
            if not options.podman and not find_host(options.environment).may_listen():
                return False  # asked of every bare file name: the client need not be loaded
            with self.open_source(None, env) as source:
                source.describe()
        except LamellaError:
            return False
        return True

    def identity(self) -> Hashable:
        """Return the engine, and the name as it spells it."""
        return self.prefix or "docker-daemon", self.names([self.name])

    def parts(self) -> Mapping[str, str]:
        """Return repository, name and tag; an image that is named by its ID has none of them.

        Raises:
            InvalidReference: it is no name.
        """
        reference = Reference.parse(self.name)
        repository = reference.name.removeprefix("localhost/")
        last = repository.rpartition("/")[2]
        tag = reference.tag or ("" if reference.digest else "latest")
        return {"repository": repository, "name": last, "tag": tag}

    def home(self) -> EngineLocation:
        """Return the same engine."""
        return EngineLocation(self.prefix or "docker-daemon", "")

    def named(self, tags: Sequence[str]) -> tuple[EngineLocation, tuple[str, ...]]:
        """Return itself, and all names of a new image; see `Location`."""
        own = (self.name,) if self.name else ()
        names = tuple(dict.fromkeys((*own, *tags)))
        for name in names:
            Reference.parse_tag(name)
        return self, names

    def names(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return what the engine makes of names."""
        name: Callable[[str], str] = podman_name if self.prefix == "podman" else docker_name
        return tuple(dict.fromkeys(map(name, tags)))

    def suggest(self, tags: Sequence[str] = ()) -> Suggestion:
        """Return another tag; what is named by its ID, a tag of another name of it."""
        if _ID.fullmatch(self.name) and self.name not in {name.partition(":")[0] for name in tags}:
            return Suggestion(tag=slim(tags[0]) if tags else "")
        return Suggestion(tag=slim(self.name))


def parse_engine(prefix: _Prefix, typed: str, rest: str) -> EngineLocation:
    """Read ``NAME``, what stands behind the prefix as it was `typed`.

    Raises:
        InvalidReference: there is none, or a storage is named.
    """
    if rest.startswith("["):
        raise InvalidReference(
            f"'{typed}:{rest}': expected {typed}:NAME; CONTAINERS_STORAGE_CONF selects the storage"
        )
    if not rest:
        raise InvalidReference(f"'{typed}:{rest}': expected {typed}:NAME")
    return EngineLocation(prefix, rest)


def match_engine(prefix: _Prefix, pattern: str, env: Environment) -> Iterator[str]:
    """Yield the names of images that a pattern means."""
    from lamella.transport.engine.matching import iter_matches  # noqa: PLC0415 - needs HTTP

    return iter_matches(pattern, env, podman=prefix == "podman")
