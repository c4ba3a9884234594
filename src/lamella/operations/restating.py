"""What the documents of one new image say otherwise than those of its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lamella.analysis.hidden import HIDDEN, hide_field
from lamella.analysis.secrets.allowed import Allowed
from lamella.errors import UsageError
from lamella.image import Image
from lamella.operations.request import Request
from lamella.restate.annotations import asked_for, for_image, is_own
from lamella.restate.changes import Changes
from lamella.restate.redact import NO_REDACTION, REDACTED, Redaction
from lamella.rewrite import Wording, annotated, new_config, new_manifest
from lamella.selection import Selection
from lamella.spec.changes import FieldChange, compare_configs, compare_values
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import DOCKER_INDEX
from lamella.transport.base import Destination

__all__ = ["Restating", "check_index", "documents_of", "index_changes", "kept_values"]


_ANNOTATIONS = "annotations"


@dataclass(frozen=True)
class Restating:
    """What becomes of the documents of one image."""

    image: Image
    changes: Changes
    wording: Wording
    annotations: Mapping[str, str]
    secrets: frozenset[str]
    """Values that go wherever they are."""

    @classmethod
    def of(
        cls,
        image: Image,
        request: Request,
        secrets: frozenset[str],
        kept: frozenset[str] = frozenset(),
    ) -> Restating:
        """Return what a request means for an image.

        Args:
            image: the source.
            request: what is asked for.
            secrets: those of other documents that belong to it.
            kept: values of likely secrets that are none.
        """
        changes = request.changes.keeping(kept)
        own = changes.redaction.values_in(documents_of(image))
        annotations = for_image(request.annotations)
        return cls(image, changes, request.wording, annotations, own | secrets)

    @property
    def renews_config(self) -> bool:
        """Whether the config becomes another one, even if no layer does."""
        return self._of_these_layers is not self.image.config

    @property
    def renews(self) -> bool:
        """Whether config or manifest become others, even if no layer does."""
        return self.renews_config or self._same_layers_manifest() != self.image.manifest

    @cached_property
    def _of_these_layers(self) -> Config:
        """The new config, if all layers stay."""
        config = self.image.config
        if self.wording.history == "drop":
            config = new_config(self.image, Selection(()), {}, self.wording)
        return self.config(config)

    def _same_layers_manifest(self) -> Manifest | None:
        """Return the source's manifest with what is asked for; it still names the old config."""
        manifest = self.image.manifest
        if manifest is None:
            return None
        return self.annotated(manifest)

    def config(self, config: Config) -> Config:
        """Return the config of the new image, given that of its layers."""
        return self.changes.config(config, self.secrets)

    def manifest(
        self,
        config: Config,
        layers: Sequence[Descriptor],
        base: Mapping[str, str] | None = None,
        *,
        anew: bool,
    ) -> Manifest:
        """Return the manifest of the new image; the source's own if nothing of it changes.

        Args:
            config: of the new image.
            layers: of the new image.
            base: the annotations about the base, in place of the source's; None: those stay.
            anew: it has other layers.
        """
        manifest = self.image.manifest
        if manifest is None or anew or config is not self.image.config:
            manifest = new_manifest(manifest, config, layers, base=base)
        return self.annotated(manifest)

    def annotated(self, manifest: Manifest) -> Manifest:
        """Return a manifest with the annotations, if its dialect has any, and without secrets."""
        return self.changes.manifest(annotated(manifest, self.annotations), self.secrets)

    def check(self, destination: Destination, where: str) -> None:
        """See to it that there is a place for annotations that a user wants.

        Raises:
            UsageError: there is none.
        """
        if not asked_for(self.annotations):
            return
        manifest = self.image.manifest or new_manifest(None, self.image.config, ())
        stored = destination.stored_manifest(manifest)
        if stored is None:
            raise UsageError(
                f"`annotations`: {where} keeps no manifest to have them; "
                "expected a registry, oci:DIR or oci-archive:FILE"
            )
        if stored.is_docker:
            raise UsageError(
                f"`annotations`: {self.image.name} has a Docker manifest (schema 2), which can't "
                "have them; with `output` oci:DIR it becomes an OCI manifest"
            )

    def notes(self) -> Iterator[str]:
        """Yield what a user should hear: what is asked for in vain."""
        yield from self.changes.unused(self.image.config)

    def told(self) -> Iterator[FieldChange]:
        """Yield which fields change; secret values are hidden.

        Not told is what every squash changes: layers, history and times.
        """
        old, new = self._masked(self.image.config.value), self._of_these_layers.value
        found = [*compare_configs(old, new), *self._history(old, new)]
        if self.image.manifest is not None and (manifest := self._same_layers_manifest()):
            masked = self._masked(self.image.manifest.value)
            found += compare_values("manifest", masked, manifest.value)
        if self.annotations and (self.image.manifest is None or self.image.manifest.is_docker):
            # Of the new manifest, which is OCI's: see `check`.
            new = {_ANNOTATIONS: dict(self.annotations)}
            found += compare_values("manifest", {}, self.changes.redaction.apply(new, self.secrets))
        yield from _shown(found, self.changes.redaction)

    def _masked(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        masked: Mapping[str, Any] = self.changes.redaction.apply(document, self.secrets, HIDDEN)
        return masked

    def _history(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FieldChange]:
        before, after = old.get("history") or (), new.get("history") or ()
        if self.wording.history == "drop":
            if before != after:
                yield FieldChange("history", f"{len(before)} entries", "a blank one for each layer")
            return
        for number, (one, other) in enumerate(zip(before, after, strict=True), 1):
            yield from compare_values(f"history.{number}", one, other)


def _shown(found: Iterable[FieldChange], redaction: Redaction) -> Iterator[FieldChange]:
    """Yield changes that may be told. What stands for a secret is told as it is."""
    hiding = replace(redaction, likely=True, kept=frozenset())
    for change in found:
        if is_own(change.field.partition("annotations.")[2]):
            continue
        after = change.after
        if after != REDACTED and (redaction.kept or not redaction.likely):
            after = _hidden(change.field, after, hiding)
        yield FieldChange(change.field, _hidden(change.field, change.before, hiding), after)


def _hidden(field: str, value: object, hiding: Redaction) -> object:
    if not isinstance(value, dict | list):
        return hide_field(field, value)
    key = field.rpartition(".")[2]
    found: object = hiding.apply({key: value}, frozenset(), HIDDEN)[key]
    return found


def index_changes(
    old: Index, new: Index, changes: Changes, secrets: frozenset[str]
) -> Iterator[FieldChange]:
    """Yield which annotations of an index change.

    Args:
        old: the source's.
        new: the same as it will be.
        changes: what is asked for.
        secrets: values that go wherever they are.
    """
    before = changes.redaction.apply(old.value, secrets, HIDDEN)
    key = "annotations"
    found = compare_values(f"index.{key}", before.get(key), new.value.get(key))
    yield from _shown(found, changes.redaction)


def check_index(annotations: Mapping[str, str], stored: Index, where: str) -> None:
    """See to it that an index can have annotations that a user wants.

    Raises:
        UsageError: as it is stored, it can't.
    """
    if asked_for(annotations) and stored.media_type == DOCKER_INDEX:
        raise UsageError(
            f"`annotations`: {where} has a Docker manifest list, which can't have them; "
            "with `output` oci:DIR it becomes an OCI index; manifest:KEY is for its images alone"
        )


def kept_values(
    image: Image, request: Request, allowed: Allowed, further: Iterable[object] = ()
) -> frozenset[str]:
    """Return the values that look like secrets in an image's documents and are none.

    Args:
        image: the source; what is asked for instead counts, too.
        request: what is asked for.
        allowed: what is none.
        further: documents that belong to it.
    """
    if not (allowed.texts and request.changes.redaction.likely):
        return frozenset()
    # Few squashes hide anything.
    from lamella.analysis.secrets.config import allowed_values  # noqa: PLC0415

    changes = replace(request.changes, redaction=NO_REDACTION)
    configs = [image.config.value, changes.config_value(image.config.value)]
    documents = [*documents_of(image), {_ANNOTATIONS: for_image(request.annotations)}, *further]
    annotations = [found for document in documents for found in _annotations_in(document)]
    found = [allowed_values(config, None, allowed) for config in configs]
    found += [allowed_values({}, one, allowed) for one in annotations]
    return frozenset().union(*found)


def _annotations_in(document: object) -> Iterator[object]:
    """Yield the annotations of a document and of the descriptors in it."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from (value,) if key == _ANNOTATIONS else _annotations_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from _annotations_in(value)


def documents_of(image: Image) -> Iterator[object]:
    """Yield what is said of an image in JSON."""
    yield image.config.value
    if image.manifest is not None:
        yield image.manifest.value
