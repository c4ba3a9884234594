"""The config of an image over another base: what it set itself stays, the rest is inherited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamella.analysis.hidden import hide_field
from lamella.analysis.instruction import instruction
from lamella.image import Image
from lamella.rebasing.conflicts import Conflict
from lamella.spec.annotation import ABOUT_BASE
from lamella.spec.changes import shown_value
from lamella.spec.config import Config, format_json

__all__ = ["rebased_config", "setting_conflicts"]

_SETTINGS = "config"
_OWN = frozenset({"rootfs", "history", "created"})
"""Fields that are made anew, or say when the image itself was made."""
_BY_KEY = frozenset({"Labels", "ExposedPorts", "Volumes"})
_INHERITS = {"User": "user-inherits", "WorkingDir": "workdir-inherits"}
_COMMANDS = frozenset({"Cmd", "Entrypoint"})


def rebased_config(
    image: Image,
    old: Image,
    new: Image,
    about: Mapping[str, str],
    created: str | None = None,
) -> Config:
    """Return the config of an image whose layers lie on another base.

    Args:
        image: the image.
        old: its base, whose layers are its lowest ones.
        new: the other base.
        about: annotations about that; labels of the image with these keys tell the same.
        created: RFC 3339 time of the new image; None: as the image says.
    """
    mine, before, after = (one.config.value for one in (image, old, new))
    value = _merged_fields(mine, before, after, _OWN | {_SETTINGS})
    for key in ("created", "rootfs"):
        if key in mine:
            value[key] = mine[key]
    if created is not None:
        value["created"] = created
    if any(_settings(one) for one in (mine, before, after)):
        merged = _merged_settings(*(_settings(one) for one in (mine, before, after)))
        if labels := merged.get("Labels"):
            merged["Labels"] = _relabelled(labels, _settings(mine).get("Labels") or {}, about)
        value[_SETTINGS] = merged
    count = len(old.diff_ids)
    diff_ids = [str(one) for one in (*new.diff_ids, *image.diff_ids[count:])]
    value["rootfs"] = {**mine["rootfs"], "diff_ids": diff_ids}
    history = _history(image, old, new)
    if history is not None:
        value["history"] = history
    return Config.parse(format_json(value), "new config")


def _settings(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return value.get(_SETTINGS) or {}


def _merged_fields(
    mine: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any], but: frozenset[str]
) -> dict[str, Any]:
    """Take each field that is inherited from the new base; nothing at all is the same as null."""
    merged: dict[str, Any] = {}
    for key in [*mine, *(key for key in new if key not in mine)]:
        if key in but:
            continue
        own, inherited = mine.get(key), mine.get(key) == old.get(key)
        value = new.get(key) if inherited else own
        if value is not None or (key in mine and own is None):
            merged[key] = value
    return merged


def _merged_settings(
    mine: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    merged = _merged_fields(mine, old, new, frozenset({"Env", *_BY_KEY}))
    if mine.get("Entrypoint") != old.get("Entrypoint"):
        # A Dockerfile's ENTRYPOINT resets the CMD of its base, so what stands there is the image's.
        merged.pop("Cmd", None)
        if "Cmd" in mine:
            merged["Cmd"] = mine["Cmd"]
    for key in _BY_KEY:
        own, before, after = (one.get(key) or {} for one in (mine, old, new))
        values = _merged_fields(own, before, after, frozenset())
        if values or key in mine:
            merged[key] = values or mine.get(key)
    merged_env = _merged_env(*(one.get("Env") or () for one in (mine, old, new)))
    if merged_env or "Env" in mine:
        merged["Env"] = merged_env or mine.get("Env")
    return merged


def _relabelled(
    labels: Mapping[str, Any], own: Mapping[str, Any], about: Mapping[str, str]
) -> dict[str, Any]:
    """Return labels without what they tell of the old base."""
    stale = ABOUT_BASE & own.keys()
    told = {key: about[key] for key in labels if key in stale and key in about}
    return {key: text for key, text in labels.items() if key not in stale} | told


def _merged_env(mine: Sequence[str], old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Variables in the new base's order, then those that the image added, in its own."""
    own, before, after = (_variables(lines) for lines in (mine, old, new))
    merged = [
        own.get(name, line) if own.get(name) != before.get(name) else line
        for name, line in after.items()
        if not (name in before and name not in own)
    ]
    set_by_image = (line for name, line in own.items() if before.get(name) != line)
    return merged + [line for line in set_by_image if _name(line) not in after]


def _variables(lines: Sequence[str | None]) -> dict[str, str]:
    return {_name(line): line for line in lines if line is not None}


def _name(line: str) -> str:
    return line.partition("=")[0]


def _history(image: Image, old: Image, new: Image) -> list[Mapping[str, Any]] | None:
    """Return the new base's steps, then the image's own; None where neither has any.

    Entries are matched with layers from the top (see `Image.steps`), so each own layer gets one.
    """
    count, steps, below = len(old.diff_ids), image.steps(), new.steps()
    if steps is None and below is None:
        return None
    own_steps = (steps or [])[_first_own(image, old) :]
    own = [_sound(step.entry, step.layer) for step in own_steps]
    missing = len(image.layers) - count - sum(step.layer is not None for step in own_steps)
    blank: list[Mapping[str, Any]] = [{}] * missing
    return [*(_sound(step.entry, step.layer) for step in below or ()), *blank, *own]


def _first_own(image: Image, old: Image) -> int:
    """Return where the image's own steps begin in its history."""
    steps, count = image.steps() or [], len(old.diff_ids)
    told = old.config.history or ()
    if told and [step.entry for step in steps[: len(told)]] == list(told):
        return len(told)
    lower = [number for number, step in enumerate(steps, 1) if (step.layer or 0) < count]
    first = max((n for n in lower if steps[n - 1].layer is not None), default=0)
    # What a base changes in its config last is how a container starts.
    while count and first < len(steps) and _is_command(steps[first].entry):
        first += 1
    return first


def _is_command(entry: Mapping[str, Any]) -> bool:
    word = instruction(str(entry.get("created_by") or "")).partition(" ")[0].upper()
    return bool(entry.get("empty_layer")) and word in {"CMD", "ENTRYPOINT"}


def _sound(entry: Mapping[str, Any], layer: int | None) -> Mapping[str, Any]:
    """Return an entry that counts a layer only if there is one: else Docker refuses the image."""
    return (
        entry if layer is not None or entry.get("empty_layer") else {**entry, "empty_layer": True}
    )


def setting_conflicts(image: Image, old: Image, new: Image) -> Iterator[Conflict]:
    """Yield what the config sets or inherits differently over the new base."""
    mine, before, after = (_settings(one.config.value) for one in (image, old, new))
    lines = (one.get("Env") or () for one in (mine, before, after))
    yield from _env_conflicts(*(_variables(one) for one in lines))
    labels = (one.get("Labels") or {} for one in (mine, before, after))
    yield from _label_conflicts(*labels)
    own_entrypoint = mine.get("Entrypoint") != before.get("Entrypoint")
    for key in sorted((mine.keys() | before.keys() | after.keys()) - {"Env", "Labels"}):
        own, was, now = (one.get(key) or None for one in (mine, before, after))
        if was == now:
            continue
        if own not in (was, now):
            kind = "command-both" if key in _COMMANDS else "setting-both"
            yield _about(kind, key, was, now)
        elif own == was and not (key == "Cmd" and own_entrypoint):
            inherits = "command-inherits" if key in _COMMANDS else "setting-inherits"
            yield _about(_INHERITS.get(key, inherits), key, was, now)
            if key == "Entrypoint" and mine.get("Cmd") != before.get("Cmd"):
                yield _about("command-under-entrypoint", "Cmd", was, now)


def _env_conflicts(
    own: Mapping[str, str], old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Conflict]:
    for name in sorted(own.keys() | old.keys() | new.keys()):
        mine, was, now = own.get(name), old.get(name), new.get(name)
        field = f"Env.{name}"
        if mine == was:
            if was is None and now is not None:
                yield _about("env-inherits-new", field, None, _text(now))
            elif was != now:
                kind = "env-inherits" if now is not None else "env-lost"
                yield _about(kind, field, _text(was), _text(now))
        elif name == "PATH" and now is not None and mine is not None:
            yield from _path_conflict(mine, was, now)
        elif mine is None:
            if was != now and now is not None:
                yield _about("env-unset", field, _text(was), _text(now))
        elif was is None and now not in {None, mine}:
            yield _about("env-added", field, _text(mine), _text(now))
        elif was is not None and now not in {was, mine}:
            kind = "env-orphan" if now is None else "env-both"
            yield _about(kind, field, _text(was), _text(now))


def _path_conflict(mine: str, was: str | None, now: str) -> Iterator[Conflict]:
    if was == now:
        return
    has, old = (set((_text(one) or "").split(":")) for one in (mine, was))
    lacking = [p for p in (_text(now) or "").split(":") if p not in has and p not in old]
    if lacking:
        yield Conflict("path-lacks", field="Env.PATH", detail=":".join(lacking))


def _text(line: str | None) -> str | None:
    return None if line is None else line.partition("=")[2]


def _label_conflicts(
    own: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Conflict]:
    for name in sorted(old.keys() | new.keys()):
        mine, was, now = own.get(name), old.get(name), new.get(name)
        if now not in {was, mine}:
            kind = "label-inherits" if mine == was else "label-both"
            yield _about(kind, f"Labels.{name}", was, now)


def _about(kind: str, field: str, was: object, now: object) -> Conflict:
    shown = [shown_value(None if one is None else hide_field(field, one)) for one in (was, now)]
    return Conflict(kind, field=field, detail=" → ".join(shown))
