"""Plans as files: what `lamella plan -o` writes, and `lamella batch --plan` reads.

A JSON document. Its fields are told in docs/plan.md; one that is not known, or has another type, is
an error, for a plan that is half understood must not be carried out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lamella.errors import UsageError
from lamella.fleet.best import FleetPlan, ImagePlan
from lamella.spec.json import load_json

__all__ = ["PlannedImage", "format_plan", "plan_to_json", "planned_images", "read_plan"]

KIND, VERSION = "lamella plan", 1
_RANGE = re.compile(r"([1-9][0-9]{0,5})-([1-9][0-9]{0,5})")
_TOP: Mapping[str, type] = {
    "kind": str,
    "version": int,
    "max_layers": object,
    "stored": dict,
    "pulled": object,
    "gap": int,
    "images": list,
}
_IMAGE: Mapping[str, type] = {
    "image": str,
    "id": str,
    "digest": str,
    "layers_before": int,
    "layers_after": int,
    "bytes_before": int,
    "bytes_after": int,
    "squash": list,
}


@dataclass(frozen=True)
class PlannedImage:
    """What a plan file says of one image."""

    image: str
    """Its reference, as it was given to the plan."""
    id: str
    """Of the image that was planned for: digest of its config."""
    digest: str
    """Of its manifest; empty: it had none."""
    layers_before: int
    layers_after: int
    bytes_before: int
    """Of the tars of its layers."""
    bytes_after: int
    squash: tuple[str, ...]
    """Ranges, as `squash` takes them for its `layers`; none: the image stays as it is."""


def plan_to_json(plan: FleetPlan) -> dict[str, Any]:
    """Return a plan as the document of a file."""
    weighed = plan.pulled_before or plan.pulled_after
    return {
        "kind": KIND,
        "version": VERSION,
        "max_layers": plan.max_layers,
        "stored": {
            "before": plan.stored_before,
            "after": plan.stored_after,
            "perhaps_equal": plan.perhaps_equal,
        },
        "pulled": {"before": plan.pulled_before, "after": plan.pulled_after} if weighed else None,
        "gap": plan.gap,
        "images": [_image_to_json(image) for image in planned_images(plan)],
    }


def planned_images(plan: FleetPlan) -> tuple[PlannedImage, ...]:
    """Return what a plan says of each image."""
    return tuple(map(_planned, plan.images))


def _planned(plan: ImagePlan) -> PlannedImage:
    return PlannedImage(
        image=plan.image.name,
        id=plan.image.id,
        digest=plan.image.digest,
        layers_before=len(plan.image.diff_ids),
        layers_after=len(plan.pieces),
        bytes_before=plan.before,
        bytes_after=plan.after,
        squash=plan.layers,
    )


def _image_to_json(image: PlannedImage) -> dict[str, Any]:
    return {**asdict(image), "squash": list(image.squash)}


def format_plan(plan: FleetPlan) -> str:
    """Return a plan as the text of a file; the same plan gives the same text."""
    return json.dumps(plan_to_json(plan), indent=2) + "\n"


def read_plan(text: bytes | str, where: str) -> tuple[PlannedImage, ...]:
    """Return what a plan file says of each image.

    Args:
        text: of the file.
        where: what messages call it.

    Raises:
        UsageError: it is no plan, or one that is not understood.
    """
    try:
        value = load_json(text)
    except ValueError as error:
        raise UsageError(f"{where}: no plan: {error}") from None
    if not isinstance(value, dict) or value.get("kind") != KIND:
        raise UsageError(f'{where}: no plan; expected "kind": "{KIND}"')
    if value.get("version") != VERSION:
        raise UsageError(
            f"{where}: a plan of version {value.get('version')!r:.20}; expected {VERSION}"
        )
    _check(value, _TOP, where)
    return tuple(_image(one, f"{where}: images[{at}]") for at, one in enumerate(value["images"]))


def _check(value: object, fields: Mapping[str, type], where: str) -> None:
    """See that an object has these fields and no others, of these types."""
    if not isinstance(value, dict):
        raise UsageError(f"{where}: expected an object, got {value!r:.40}")
    for name in (*fields, *value):
        if name not in value:
            raise UsageError(f"{where}: {name} is missing")
        if name not in fields:
            raise UsageError(f"{where}: {name!r:.40} is unknown; is the plan from a newer lamella?")
        kind = fields[name]
        if not isinstance(value[name], kind) or (kind is int and isinstance(value[name], bool)):
            raise UsageError(f"{where}: {name}: expected {_WORDS[kind]}, got {value[name]!r:.40}")


_WORDS = {str: "a text", int: "a whole number", list: "a list", dict: "an object"}


def _image(value: dict[str, Any], where: str) -> PlannedImage:
    _check(value, _IMAGE, where)
    count, last, lost = value["layers_before"], 0, 0
    for one in value["squash"]:
        found = _RANGE.fullmatch(one) if isinstance(one, str) else None
        first, until = map(int, found.groups()) if found else (0, 0)
        if not last < first < until <= count:
            raise UsageError(
                f"{where}: squash: expected ranges A-B of {count} layers, in order and apart, "
                f"got {one!r:.40}"
            )
        last, lost = until, lost + until - first
    if count - lost != value["layers_after"]:
        raise UsageError(
            f"{where}: squash leaves {count - lost} layers, "
            f"but layers_after is {value['layers_after']}"
        )
    return PlannedImage(**{**value, "squash": tuple(value["squash"])})
