"""New layers into an image: a new config, history and manifest, made from the raw old ones.

Everything that lamella does not know stays. Nothing here asks the clock: what is made depends on
the arguments alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lamella.image import Image, Step
from lamella.selection import Selection
from lamella.spec.annotation import ABOUT_BASE
from lamella.spec.config import Config, format_json
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    OCI_CONFIG,
    OCI_MANIFEST,
    docker_layer,
)

__all__ = [
    "HistoryMode",
    "Wording",
    "annotated",
    "delta_config",
    "index_of",
    "new_config",
    "new_entry",
    "new_index",
    "new_manifest",
]

HistoryMode = Literal["merge", "keep", "drop"]


@dataclass(frozen=True)
class Wording:
    """What a new config says of its making."""

    history: HistoryMode = "merge"
    """``merge``: one entry stands for the squashed ones; ``keep``: all stay, marked empty;
    ``drop``: each layer has one that tells nothing."""
    message: str = ""
    """Comment of the merged layer's entry."""
    created: str | None = None
    """RFC 3339 time of the new image; None: as the source says, so that output is reproducible."""


def new_config(
    image: Image,
    selection: Selection,
    merged: Mapping[range, Sequence[Digest]],
    wording: Wording,
) -> Config:
    """Return the config of the squashed image; the source's own if nothing of it changes.

    Args:
        image: the source.
        selection: what was squashed.
        merged: the diff_ids of the layers made of each squashed range, base first.
        wording: history and times.
    """
    value = dict(image.config.value)
    value["rootfs"] = {**value["rootfs"], "diff_ids": _diff_ids(image, merged)}
    steps = image.steps()
    if steps is not None:
        if wording.history == "drop":
            value["history"] = _blank_history(image, merged, wording)
        else:
            value["history"] = _history(steps, selection, merged, wording)
    if wording.created is not None:
        value["created"] = wording.created
    if value == image.config.value:
        return image.config
    return Config.parse(format_json(value), "new config")


def delta_config(old: Image, new: Image, diff_ids: Sequence[Digest]) -> Config:
    """Return the config of an image that has the layers of another, and perhaps one more.

    Args:
        old: the image whose layers it has, and their history.
        new: the image that it is otherwise.
        diff_ids: of its layers.
    """
    value = dict(new.config.value)
    value["rootfs"] = {**value["rootfs"], "diff_ids": list(map(str, diff_ids))}
    value.pop("history", None)
    if steps := old.steps():
        value["history"] = list(map(_unchanged, steps))
        if len(diff_ids) > len(old.layers):
            value["history"].append(_delta_entry(old, new))
    if value == new.config.value:
        return new.config
    return Config.parse(format_json(value), "new config")


def _delta_entry(old: Image, new: Image) -> dict[str, Any]:
    made = f"lamella delta # {old.id.short} to {new.id.short}"
    created = new.config.text("created")
    return {**({"created": created} if created else {}), "created_by": made}


def _diff_ids(image: Image, merged: Mapping[range, Sequence[Digest]]) -> list[str]:
    starts = {positions.start: digests for positions, digests in merged.items()}
    squashed = {position for positions in merged for position in positions}
    return [
        str(digest)
        for position, diff_id in enumerate(image.diff_ids)
        if position in starts or position not in squashed
        for digest in starts.get(position, (diff_id,))
    ]


def _blank_history(
    image: Image, merged: Mapping[range, Sequence[Digest]], wording: Wording
) -> list[Mapping[str, Any]]:
    """Return an entry for each layer, so that engines show its size, which tells only the time."""
    created = wording.created or image.config.text("created")
    blank = {"created": created} if created else {}
    comment = {"comment": wording.message} if wording.message else {}
    starts = {positions.start: len(digests) for positions, digests in merged.items()}
    gone = {position for positions in merged for position in positions} - starts.keys()
    left = [position for position in range(len(image.layers)) if position not in gone]
    return [
        {**blank, **comment} if position in starts else blank
        for position in left
        for _ in range(starts.get(position, 1))
    ]


def _history(
    steps: Sequence[Step],
    selection: Selection,
    merged: Mapping[range, Sequence[Digest]],
    wording: Wording,
) -> list[Mapping[str, Any]]:
    out: list[Mapping[str, Any]] = []
    at = 0
    for positions, digests in merged.items():
        first, stop = _span(steps, positions, selection)
        out += map(_unchanged, steps[at:first])
        at, span = stop, steps[first:stop]
        told = _all_told_above(steps, positions)
        own = _entry(span, len(positions), wording)
        if len(positions) == 1:  # nothing was merged
            out += map(_unchanged, span)
            digests = digests[1:]  # noqa: PLW2901 - one has that entry
            told = any(step.layer is not None for step in span)
        elif wording.history == "keep":
            out += [{**step.entry, "empty_layer": True} for step in span]
        if told:
            out += [own] * len(digests)
    return out + [_unchanged(step) for step in steps[at:]]


def _unchanged(step: Step) -> Mapping[str, Any]:
    """Return an entry as it was; but Docker loads no image with more entries than layers."""
    if step.layer is None and not step.entry.get("empty_layer"):
        return {**step.entry, "empty_layer": True}
    return step.entry


def _all_told_above(steps: Sequence[Step], positions: range) -> bool:
    """Whether each layer above a range has an entry, so that a new one is found to be the range's.

    Entries are matched from the top (see `Image.steps`).
    """
    told = [step.layer for step in steps if step.layer is not None]
    return min(told, default=steps[-1].top + 1) <= positions.stop


def _span(steps: Sequence[Step], positions: range, selection: Selection) -> tuple[int, int]:
    """Which history entries a range of layers takes with it.

    From its first layer's entry to its last one's, with what only changed the config in between. At
    the top of the image, and where the base's own history is known, what is around goes too: then
    the base's entries and one new one are left.
    """
    numbers = [step.layer for step in steps]
    told = [number for number in numbers if number in positions]
    if told:
        first, stop = numbers.index(told[0]), numbers.index(told[-1]) + 1
    else:  # layers without entries: at the bottom, or of an image that tells of none
        first = stop = 0 if any(number is not None for number in numbers) else len(steps)
    if told and all(number is None for number in numbers[stop:]):
        stop = len(steps)
    if positions is selection.ranges[0] and selection.base_steps is not None:
        first = min(first, selection.base_steps)
    return first, stop


def _entry(span: Sequence[Step], count: int, wording: Wording) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    times = [step.entry["created"] for step in span if isinstance(step.entry.get("created"), str)]
    if wording.created or times:
        entry["created"] = wording.created or times[-1]
    entry["created_by"] = f"lamella squash # {count} layer{'s' if count > 1 else ''}"
    if wording.message:
        entry["comment"] = wording.message
    return entry


def new_manifest(
    source: Manifest | None,
    config: Config,
    layers: Sequence[Descriptor],
    annotations: Mapping[str, str] | None = None,
    base: Mapping[str, str] | None = None,
) -> Manifest:
    """Return the manifest of the squashed image, in the source's dialect (OCI's if it has none).

    The source's unknown fields and annotations stay; `annotations` are added, but not to a manifest
    of Docker's, which has none.

    Args:
        source: the manifest of the image.
        config: the new config.
        layers: the new layers.
        annotations: are added.
        base: the annotations about the base, in place of the source's; None: those stay.
    """
    docker = source is not None and source.is_docker
    value: dict[str, Any] = dict(source.value) if source else {"schemaVersion": 2}
    if not docker:
        value.setdefault("mediaType", OCI_MANIFEST)
    old = dict(source.config.raw) if source else {}
    own = {
        "mediaType": old.get("mediaType") or (DOCKER_CONFIG if docker else OCI_CONFIG),
        "digest": str(config.digest),
        "size": len(config.raw),
    }
    value["config"] = {**{k: v for k, v in old.items() if k != "data"}, **own}
    if docker:
        layers = [replace(layer, media_type=docker_layer(layer.media_type)) for layer in layers]
    value["layers"] = [layer.to_json() for layer in layers]
    if not docker:
        value = _annotated(value, annotations, base)
    return Manifest.parse(format_json(value), "new manifest")


def annotated(manifest: Manifest, annotations: Mapping[str, str]) -> Manifest:
    """Return a manifest with more annotations; itself if it has them, or is Docker's."""
    value = _annotated(manifest.value, annotations, None)
    if manifest.is_docker or value == manifest.value:
        return manifest
    return Manifest.parse(format_json(value), "new manifest")


def _annotated(
    value: Mapping[str, Any],
    annotations: Mapping[str, str] | None,
    base: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return a document or a descriptor with other annotations; itself where they are the same."""
    old = value.get("annotations") or {}
    if base is not None:
        old = {key: text for key, text in old.items() if key not in ABOUT_BASE} | {**base}
    new = {**old, **(annotations or {})}
    return dict(value) if new == (value.get("annotations") or {}) else {**value, "annotations": new}


def new_index(
    source: Index,
    entry_of: Callable[[Descriptor], Descriptor | None],
    annotations: Mapping[str, str] | None = None,
    base: Mapping[str, str] | None = None,
) -> Index:
    """Return an index with other entries; the order and all that lamella does not know stay.

    Args:
        source: the index.
        entry_of: what takes the place of an entry: the same one if it stays, None if it goes.
        annotations: are added, but not to an index of Docker's, which has none.
        base: the annotations about the base, where the index has any; None: those stay.
    """
    own = annotations if source.media_type != DOCKER_INDEX else None
    about = base if _tells_base(source.value) else None
    entries = [entry_of(descriptor) for descriptor in source.manifests]
    kept = [entry for entry in entries if entry is not None]
    value: Mapping[str, Any] = source.value
    if [*source.manifests] != kept:
        value = {**value, "manifests": [entry.to_json() for entry in kept]}
    value = _annotated(value, own, about)
    if value == source.value:
        return source
    return Index.parse(format_json(value), "new index")


def index_of(
    source: Index, entries: Sequence[Descriptor], base: Mapping[str, str] | None = None
) -> Index:
    """Return an index of these images alone; what else it says is the source's.

    Args:
        source: the index.
        entries: of the images.
        base: the annotations about the base, where the index has any; None: those stay.
    """
    about = base if _tells_base(source.value) else None
    value = {**source.value, "manifests": [entry.to_json() for entry in entries]}
    return Index.parse(format_json(_annotated(value, None, about)), "new index")


def new_entry(
    old: Descriptor, document: Manifest | Index, base: Mapping[str, str] | None = None
) -> Descriptor:
    """Return an index's entry for what took the place of another: platform, annotations stay.

    Args:
        old: the other's entry.
        document: what took its place.
        base: the annotations about the base, where the entry has any; None: those stay.
    """
    about = base if _tells_base(old.raw) else None
    extra = _annotated({k: v for k, v in old.raw.items() if k != "data"}, None, about)
    kind = document.media_type or old.media_type or OCI_MANIFEST
    return Descriptor(kind, document.digest, len(document.raw), extra)


def _tells_base(value: Mapping[str, Any]) -> bool:
    return not ABOUT_BASE.isdisjoint(value.get("annotations") or {})
