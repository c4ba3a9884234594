"""Which of an image's layers are its base: what LAYER names, or what can be found out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import NamedTuple

from lamella.analysis.base import (
    BASE_DIGEST,
    BASE_NAME,
    ToldBase,
    base_of_others,
    guess_base,
    possible_bases,
    told_by_image,
)
from lamella.analysis.model import Base, FoundBy, kept_layers
from lamella.errors import (
    Ambiguous,
    Cancelled,
    ImageNotFound,
    InvalidReference,
    LamellaError,
    UnknownLayer,
    UsageError,
    shortened,
)
from lamella.image import Image
from lamella.operations.request import Request
from lamella.operations.told_base import iter_told, iter_told_by_build
from lamella.selection import AUTO, Selection, select, select_above_image
from lamella.spec.digest import Digest
from lamella.spec.platform import Platform
from lamella.spec.reference import Reference
from lamella.transport.base import Source
from lamella.transport.environment import Environment
from lamella.transport.location import Location
from lamella.transport.registry.location import RegistryLocation
from lamella.transport.registry.name import PREFIX, RegistryName
from lamella.transport.transports import locate

__all__ = ["BaseOf", "base_here", "find_base"]

_LONGEST_NAME = 300
_MOST_USED = 16
"""Images of a build that are looked up: those of a hostile provenance would be without end."""


Others = Mapping[tuple[Digest, ...], Sequence[str]]


class Found(NamedTuple):
    """The base of an image."""

    base: Base
    image: Image | None = None
    """It, as its place describes it; None: no image is known, the layers are."""
    public_name: str = ""
    """What names it for everybody; see `Location.public_name`."""


class BaseOf:
    """The base of one image that is squashed, once it was asked for."""

    def __init__(self, request: Request, source: Source, env: Environment) -> None:
        self._request, self._source, self._env = request, source, env
        self.found: Found | None = None
        """What LAYER names, or what was found or guessed; None: nobody has asked."""

    @property
    def base(self) -> Base | None:
        """What is known of it."""
        return self.found.base if self.found else None

    @property
    def kept_name(self) -> str:
        """What the kept image is called, if LAYER is one; empty: it is none."""
        base = self.base if self._request.base is not None else None
        return base.name if base and base.is_known else ""

    def select_above_found(self) -> Selection:
        """Squash everything above the base that can be found; see `find_base`."""
        self.found = find_base(self._source, self._request.location, self._env)
        self._env.progress.note(f"{self.found.base}; kept")
        image = self._source.describe()
        if self.found.image is None:
            return select(image, above=f"#{self.found.base.layers}")
        return select_above_image(image, self.found.image)

    def select_above_named(self, unknown: UnknownLayer) -> Selection:
        """Squash everything above LAYER: an image of the place it says, or of the source's own.

        Args:
            unknown: what was said when it was looked for among the layers.

        Raises:
            UnknownLayer: there is no such image at the source's place.
            UsageError: the image is not built on it.
            LamellaError: the base can't be read.
        """
        name = self._request.base or ""
        place = locate(name, self._env)
        if place.is_bare:
            try:
                image = self._source.beside(name)
                place = self._request.location.beside(name)
            except (ImageNotFound, UsageError) as error:
                raise UnknownLayer(str(error), unknown.expected) from None
        else:
            with place.open_source(self._request.platform, self._env) as opened:
                image = opened.describe()
        self.found = _found(image, image.name, "layer", "", place.public_name(image))
        return select_above_image(self._source.describe(), image)

    def kept_by_choice(self) -> int:
        """Return how many of the lowest layers stay where lamella chooses layers."""
        # Few squashes have to analyze anything.
        from lamella.analysis.sharing import shared_layers  # noqa: PLC0415

        others = self._source.tags_by_chain()
        shared = shared_layers(self._source.describe(), others)
        base = base_here(self._source, self._request.location, self._env, others)
        kept = kept_layers(shared, base)
        if base is not None and kept > shared:
            self.found = Found(base)
            if self._request.auto:
                self._env.progress.note(f"{base}; kept, unless `include_base` is given")
        return kept

    def annotations(self, image: Image, kept: int) -> Mapping[str, str] | None:
        """Return what a new manifest says of the base; None: what the old one says, if anything.

        A digest is that of what the name stands for, which may be an index: so it can be compared
        with what the name stands for later. No base is looked up for it.

        Args:
            image: the old one.
            kept: how many of the lowest layers the new one still has.
        """
        found = self.found
        if found and found.image and len(found.image.diff_ids) == kept:
            own = {BASE_NAME: found.public_name, BASE_DIGEST: found.base.digest}
            if said := {key: value for key, value in own.items() if value}:
                return said
        base = self.base or guess_base(image)
        return None if kept and (base is None or base.layers <= kept) else {}


def find_base(source: Source, location: Location, env: Environment) -> Found:
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
        return Found(guess)
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

    def told(self) -> Found | None:
        """Return the base that the image, its index or its build tells."""
        image = self.source.describe()
        told = iter_told(self.source, image) if self.is_far else iter(told_by_image(image))
        found = next(self._fitting(told, "annotation"), None)
        if found is None and self.is_far:
            used = islice(iter_told_by_build(self.source, image), _MOST_USED)
            # A build in several stages uses several images. The layers of one are all there, and
            # those of the images that it was built on itself.
            fitting = list(self._fitting(used, "provenance"))
            found = max(fitting, key=lambda one: one.base.layers, default=None)
        return found

    def other(self) -> Found | None:
        """Return the base that is another image of the same place."""
        base = base_of_others(self.source.describe(), self.source.tags_by_chain())
        if base is None or not base.name:
            return Found(base) if base else None
        other = self._described(lambda: self.source.beside(base.name))
        if isinstance(other, LamellaError) or len(other.diff_ids) != base.layers:
            return Found(base)
        place = self.location.beside(base.name)
        return _found(other, base.name, "image", "", place.public_name(other))

    def _fitting(self, told: Iterable[ToldBase], found_by: FoundBy) -> Iterator[Found]:
        """Yield those of the told bases that are there, and whose layers are the lowest ones."""
        try:
            for one in told:
                if found := self._look_up(one, found_by):
                    yield found
        except LamellaError as error:
            self._say(f"what tells the base can't be read: {self._passed_over(error)}")

    def _look_up(self, told: ToldBase, found_by: FoundBy) -> Found | None:
        """Look for a base wherever it may be; if it is nowhere, tell what the last place said."""
        what, reason = told.name.removeprefix(PREFIX) or told.digest, ""
        try:
            for place, describe in self._places(told):
                what, reason = str(place), "its layers are not the lowest layers"
                image = self._described(describe)
                if isinstance(image, LamellaError):
                    reason = str(image)
                elif self._fits(image):
                    name = place.public_name(image) or told.name
                    return _found(image, name or str(place), found_by, told.where, name)
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
        bare = told.name.removeprefix(PREFIX)
        name = Reference.parse(bare) if bare else None
        if isinstance(self.location, RegistryLocation):
            yield from self._in_registries(told.name, digest, self.location)
            return
        by_digest = f"{name.name}@{digest}" if name else str(digest)
        for beside in (by_digest if digest else "", digest if name else "", bare):
            if beside:
                yield self.location.beside(beside), partial(self.source.beside, beside)
        if name and (name.has_registry or bare != told.name):
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


def _found(image: Image, name: str, found_by: FoundBy, why: str, public_name: str) -> Found:
    digest = image.index or (image.manifest.digest if image.manifest else "")
    base = Base(len(image.diff_ids), name, why, found_by, str(digest))
    return Found(base, image, public_name)
