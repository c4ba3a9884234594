"""The base of an image that is squashed: what LAYER names, what is found, what is guessed."""

from __future__ import annotations

from collections.abc import Mapping

from lamella.analysis.known_base import Base, kept_layers
from lamella.errors import ImageNotFound, UnknownLayer, UsageError
from lamella.image import Image
from lamella.operations.request import Request
from lamella.operations.taken_base import TakenBase, taken_base
from lamella.selection import Selection, select, select_above_image
from lamella.spec.annotation import BASE_DIGEST, BASE_NAME
from lamella.transport.base import Source
from lamella.transport.environment import Environment
from lamella.transport.transports import locate

__all__ = ["BaseOf"]


class BaseOf:
    """The base of one image that is squashed, once it was asked for."""

    def __init__(self, request: Request, source: Source, env: Environment) -> None:
        self._request, self._source, self._env = request, source, env
        self.found: TakenBase | None = None
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

    @property
    def kept_digest(self) -> str:
        """The digest of that image's manifest, or its ID; empty where LAYER is none."""
        image = self.found.image if self.found and self.kept_name else None
        if image is None:
            return ""
        return str(image.manifest.digest if image.manifest else image.id)

    def select_above_found(self) -> Selection:
        """Squash everything above the base that can be found; see `find_base`."""
        from lamella.operations.find_base import find_base  # noqa: PLC0415 - few squashes need it

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
        self.found = taken_base(image, image.name, "layer", "", place.public_name(image))
        return select_above_image(self._source.describe(), image)

    def kept_by_choice(self) -> int:
        """Return how many of the lowest layers stay where lamella chooses layers."""
        # Few squashes have to analyze anything.
        from lamella.analysis.sharing import shared_layers  # noqa: PLC0415
        from lamella.operations.find_base import base_here  # noqa: PLC0415 - as above

        others = self._source.tags_by_chain()
        shared = shared_layers(self._source.describe(), others)
        base = base_here(self._source, self._request.location, self._env, others)
        kept = kept_layers(shared, base)
        if base is not None and kept > shared:
            self.found = TakenBase(base)
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
        if not kept:
            return {}
        from lamella.analysis.base import guess_base  # noqa: PLC0415 - a dry run needs none of it

        base = self.base or guess_base(image)
        return None if base is None or base.layers <= kept else {}
