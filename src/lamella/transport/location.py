"""References, read once: where an image is, and what it is called there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from lamella.spec.platform import Platform
    from lamella.transport.base import Destination, Source
    from lamella.transport.environment import Environment

__all__ = ["Location", "Suggestion", "slim"]


class Suggestion(NamedTuple):
    """A name for the result of a squash, a place for it, or both; what is not needed is empty."""

    tag: str = ""
    """What the result is called."""
    output: str = ""
    """A reference, where the image is at no place to write to again."""


class Location(ABC):
    """A place and a name in it. It opens itself: what that needs is imported only then.

    A kind of place is a class of this kind, in a package of its own, and a line in
    `transports.TRANSPORTS`.
    """

    @property
    def is_stream(self) -> bool:
        """Whether it is standard input or standard output."""
        return False

    @property
    def is_bare(self) -> bool:
        """Whether nothing but a name was said: it may be one of another image's place."""
        return False

    @property
    def keeps_manifest(self) -> bool:
        """Whether a manifest stays as it is sent, so that its digest names the image."""
        return False

    def pin(self, digest: str) -> str:
        """Return what names a new image exactly, whatever becomes of its tags."""
        return digest

    @abstractmethod
    def __str__(self) -> str:
        """Return what a user would type."""

    @contextmanager
    def open_source(self, platform: Platform | None, env: Environment) -> Iterator[Source]:
        """Open the image for reading; nothing is read yet.

        Raises:
            UsageError: it is a stream, and there is none.
        """
        with env.connections.used(), self._source(platform, env) as source:
            yield source

    @contextmanager
    def open_destination(self, env: Environment) -> Iterator[Destination]:
        """Open the place for writing; what is not committed in the end is undone.

        Raises:
            OutputError: it can't be written to.
            EngineError: it can't be reached.
            UsageError: it is a stream, and there is none.
        """
        with env.connections.used(), self._destination(env) as destination:
            yield destination

    @abstractmethod
    def _source(
        self, platform: Platform | None, env: Environment
    ) -> AbstractContextManager[Source]: ...

    @abstractmethod
    def _destination(self, env: Environment) -> AbstractContextManager[Destination]: ...

    @abstractmethod
    def home(self) -> Location | None:
        """Return where a new image goes if nothing is said; None: nowhere."""

    @abstractmethod
    def named(self, tags: Sequence[str]) -> tuple[Location, tuple[str, ...]]:
        """Return the place of a new image, and all its names: those given, and its own.

        Raises:
            UsageError: a name can't be given here.
            InvalidReference: one is no name.
        """

    def unnamed(self) -> Self:
        """Return the same place, for an image that gets no name."""
        return self

    @abstractmethod
    def names(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return what the place calls an image that is given these names (of `named`)."""

    @abstractmethod
    def suggest(self, tags: Sequence[str] = ()) -> Suggestion:
        """Return a name for a smaller image beside this one.

        Args:
            tags: of this one, if they are known.
        """


def slim(name: str) -> str:
    """Return a name with another tag; what has none, or a digest, gets one."""
    name = name.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return f"{head if colon and '/' not in tag else name}:slim"
