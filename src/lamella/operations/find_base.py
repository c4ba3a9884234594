"""Finds the base of an image: by what is told of it, beside it, or in its history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from lamella.analysis.base import (
    ToldBase,
    base_of_others,
    guess_base,
    possible_bases,
)
from lamella.analysis.known_base import Base, FoundBy
from lamella.errors import (
    Ambiguous,
    Cancelled,
    InvalidReference,
    LamellaError,
    UnknownLayer,
    shortened,
)
from lamella.image import Image
from lamella.operations.taken_base import TakenBase, taken_base
from lamella.operations.told_base import Telling
from lamella.selection import AUTO
from lamella.spec.digest import Digest
from lamella.spec.platform import Platform
from lamella.spec.reference import Reference
from lamella.transport.base import Source
from lamella.transport.environment import Environment
from lamella.transport.location import Location
from lamella.transport.registry.location import RegistryLocation
from lamella.transport.registry.name import RegistryName

__all__ = ["base_here", "find_base"]

_LONGEST_NAME = 300
_MOST_USED = 16
"""Images of a build that are looked up: those of a hostile provenance would be without end."""
Others = Mapping[tuple[Digest, ...], Sequence[str]]


def find_base(source: Source, location: Location, env: Environment) -> TakenBase:
    """Find the base of an image; what is taken is sure, as docs/cli.md tells it.

    Args:
        source: the image.
        location: where it is.
        env: how to reach it, and the registries that the image names.

    Raises:
        UnknownLayer: nothing tells the base.
        Ambiguous: there are only guesses; the message offers them.
        LamellaError: the image can't be read.
    """
    finding = _Finding(source, location, env, is_far=True)
    if found := finding.told() or finding.other():
        return found
    image = source.describe()
    guesses = possible_bases(image)
    guess = guess_base(image)
    if guess is not None and guess.found_by == "times":
        return TakenBase(guess)
    if guesses:
        choices = ", ".join(f"`base` {one.layers} ({one.why})" for one in reversed(guesses))
        raise Ambiguous(f"which layers of {image.name} are its base is not sure; give {choices}")
    raise UnknownLayer(
        f"`base` {AUTO}: nothing tells the base of {image.name}",
        "give a layer as `lamella layers` numbers them, or the name of the base image",
    )


def base_here(source: Source, location: Location, env: Environment, others: Others) -> Base | None:
    """Return what is most likely the base of an image, as far as its own place can tell.

    No other place is asked, and no provenance is read. The history may be all that speaks for it.

    Args:
        source: the image.
        location: where it is.
        env: how to reach it.
        others: its `Source.tags_by_chain`.

    Raises:
        LamellaError: the image can't be read.
    """
    image = source.describe()
    told = _Finding(source, location, env, is_far=False).told()
    return told.base if told else base_of_others(image, others) or guess_base(image)


@dataclass(frozen=True)
class _Finding:
    source: Source
    location: Location
    env: Environment
    is_far: bool
    """Registries that the image names may be asked, and it is told what comes of it."""

    def told(self) -> TakenBase | None:
        """Return the base that the image, its index or its build tells."""
        image = self.source.describe()
        telling = Telling(self.source, image)
        told = telling.iter_all() if self.is_far else telling.iter_here()
        found = next(self._fitting(told, "annotation"), None)
        if found is None and self.is_far:
            used = islice(telling.iter_used(), _MOST_USED)
            # A build in several stages uses several images. The layers of one are all there, and
            # those of the images that it was built on itself.
            fitting = list(self._fitting(used, "provenance"))
            found = max(fitting, key=lambda one: one.base.layers, default=None)
        return found

    def other(self) -> TakenBase | None:
        """Return the base that is another image of the same place."""
        base = base_of_others(self.source.describe(), self.source.tags_by_chain())
        if base is None or not base.name:
            return TakenBase(base) if base else None
        other = self._described(lambda: self.source.beside(base.name))
        if isinstance(other, LamellaError) or len(other.diff_ids) != base.layers:
            return TakenBase(base)
        place = self.location.beside(base.name)
        return taken_base(other, base.name, "image", "", place.public_name(other))

    def _fitting(self, told: Iterable[ToldBase], found_by: FoundBy) -> Iterator[TakenBase]:
        """Yield those of the told bases that are there, and whose layers are the lowest ones."""
        try:
            for one in told:
                if found := self._look_up(one, found_by):
                    yield found
        except LamellaError as error:
            self._say(f"what tells the base can't be read: {self._passed_over(error)}")

    def _look_up(self, told: ToldBase, found_by: FoundBy) -> TakenBase | None:
        """Look for a base wherever it may be; if it is nowhere, tell what the last place said."""
        what, reason = told.name or told.digest, ""
        try:
            for place, describe in self._places(told):
                what, reason = str(place), "its layers are not the lowest layers"
                image = self._described(describe)
                if isinstance(image, LamellaError):
                    reason = str(image)
                elif self._fits(image):
                    name = (place.public_name(image) or told.name) if told.name else ""
                    return taken_base(image, name or what, found_by, told.where, name)
        except InvalidReference as error:
            reason = str(error)
        if reason:
            what = shortened(what, _LONGEST_NAME)
            self._say(f"{what} ({told.where}) is not taken for the base: {reason}")
        return None

    def _places(self, told: ToldBase) -> Iterator[tuple[Location, Callable[[], Image]]]:
        """Yield where a base may be, by its digest first, for a name may be another image's now.

        Raises:
            InvalidReference: what is told is no name, or no digest.
        """
        digest = Digest.parse(told.digest) if told.digest else ""
        name = Reference.parse(told.name) if told.name else None
        if isinstance(self.location, RegistryLocation):
            yield from self._in_registries(told.name, digest, self.location)
            return
        by_digest = f"{name.name}@{digest}" if name else str(digest)
        for beside in (by_digest if digest else "", digest if name else "", told.name):
            if beside:
                yield self.location.beside(beside), partial(self.source.beside, beside)
        if name and name.has_registry:
            yield from self._in_registries(told.name, digest, None)

    def _in_registries(
        self, name: str, digest: str, own: RegistryLocation | None
    ) -> Iterator[tuple[Location, Callable[[], Image]]]:
        """Yield a base in the image's own registry, or in the one that its name says."""
        if not name and own:
            parsed = own.name.tagged("")
        else:
            parsed = RegistryName.parse(name, **({"host": own.name.host} if own else {}))
        if not self.is_far and (own is None or parsed.host != own.name.host):
            return
        by_digest = [replace(parsed, digest=digest)] if digest else []
        for one in [*by_digest, *([parsed] if parsed.reference else [])]:
            place = RegistryLocation(one)
            yield place, partial(self._describe, place)

    def _describe(self, place: Location) -> Image:
        platform = Platform.of(self.source.describe().config.value)
        wanted = platform if platform.os and platform.architecture else None
        with place.open_source(wanted, self.env) as opened:
            return opened.describe()

    def _fits(self, base: Image) -> bool:
        image = self.source.describe()
        return 0 < len(base.diff_ids) < len(image.diff_ids) and base.is_prefix_of(image)

    def _described(self, describe: Callable[[], Image]) -> Image | LamellaError:
        try:
            return describe()
        except LamellaError as error:
            return self._passed_over(error)

    def _passed_over(self, error: LamellaError) -> LamellaError:
        """Return an error that ends nothing but this try; a cancelled one ends all."""
        self.env.connections.check()
        if isinstance(error, Cancelled):
            raise error
        return error

    def _say(self, message: str) -> None:
        progress = self.env.progress
        (progress.note if self.is_far else progress.debug)(message)
