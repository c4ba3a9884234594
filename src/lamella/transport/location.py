"""References, read once: where an image is, and what it is called there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from lamella.image import Image
    from lamella.spec.platform import Platform
    from lamella.transport.base import Destination, Source
    from lamella.transport.environment import Environment

__all__ = ["Glimpse", "Location", "Suggestion", "Transport", "annotations_of", "slim"]


class Suggestion(NamedTuple):
    """A name for the result of a squash, a place for it, or both; what is not needed is empty."""

    tag: str = ""
    """What the result is called."""
    output: str = ""
    """A reference, where the image is at no place to write to again."""


class Glimpse(NamedTuple):
    """What is known of an image without reading any layer."""

    digest: str
    """Of its manifest, or of its index; where a place keeps none, the image's ID."""
    annotations: Mapping[str, str]
    """Of the same document; empty where a place keeps none."""


class Location(ABC):
    """A place and a name in it. It opens itself: what that needs is imported only then.

    A kind of place is a class of this kind, in a package of its own, and a line in
    `transports.TRANSPORTS` (a `Transport`).
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

    def digest(self, env: Environment) -> str:
        """Return the digest of the image, as `look` does; a registry is asked for that alone.

        Raises:
            ImageNotFound: there is no such image.
            LamellaError: it can't be looked at.
        """
        return self.look(env).digest

    def look(self, env: Environment) -> Glimpse:
        """Look at an image, or at the index that its name stands for.

        Raises:
            ImageNotFound: there is no such image.
            LamellaError: it can't be looked at.
        """
        from lamella.transport.index import HasIndex  # noqa: PLC0415 - few ask

        with self.open_source(None, env) as source:
            index = source.index() if isinstance(source, HasIndex) else None
            if index is not None:
                return Glimpse(str(index.digest), annotations_of(index.value))
            image = source.describe()
            if image.manifest is None:
                return Glimpse(str(image.id), {})
            return Glimpse(str(image.manifest.digest), annotations_of(image.manifest.value))

    def pinned(self, digest: str) -> Location:
        """Return the same image by its digest, where a place knows it by that; else itself."""
        del digest
        return self

    @abstractmethod
    def beside(self, name: str) -> Location:
        """Return another image of the same place, of which nothing but the name was said.

        Raises:
            InvalidReference: it is no name.
        """

    def public_name(self, image: Image) -> str:
        """Return what names an image for everybody: a registry, a repository and a tag or digest.

        Args:
            image: the one that is here; empty: its place gives it no such name.
        """
        del image
        return ""

    @abstractmethod
    def _source(
        self, platform: Platform | None, env: Environment
    ) -> AbstractContextManager[Source]: ...

    @abstractmethod
    def _destination(self, env: Environment) -> AbstractContextManager[Destination]: ...

    def identity(self) -> Hashable:
        """Return what is equal for two references to the same image, or the same file."""
        return str(self)

    @abstractmethod
    def parts(self) -> Mapping[str, str]:
        """Return the parts of the name, for templates of other names; see `fleet.template`."""

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


class Transport(NamedTuple):
    """A kind of place, as `transports.TRANSPORTS` knows it by a prefix."""

    parse: Callable[[str, bool], Location]
    """Reads a whole reference; whether it is going to be written, so that it need not exist."""
    match: Callable[[str, Environment], Iterator[str]] | None = None
    """Yields what follows the prefix for each image that a pattern means, in an order that does not
    change; None: there are no patterns."""


def annotations_of(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the annotations of a manifest or an index."""
    return document.get("annotations") or {}


def slim(name: str) -> str:
    """Return a name with another tag; what has none, or a digest, gets one."""
    name = name.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return f"{head if colon and '/' not in tag else name}:slim"
