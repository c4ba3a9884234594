"""All there is to say of one file, of one layer, and of an image's config, as lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from lamella.analysis.instruction import instruction
from lamella.analysis.model import Analysis
from lamella.analysis.setup import read_setup
from lamella.image import Image
from lamella.inside.file import File
from lamella.report.files import minute_text, mode_text, shown_path
from lamella.report.text import causes_text, count_of, human_size, printable
from lamella.tar.entry import time_text

__all__ = ["changes_text", "config_lines", "file_lines", "layer_lines", "summary_line"]

_UNKNOWN = "no command recorded"
_TABS = re.compile(r"(?<=\S)[ \t]*\t[ \t]*")


def summary_line(file: File) -> str:
    """Say mode, owner, size, time and layer in a line."""
    size = f"{file.size:,} B " if file.type == "file" else ""
    device = f"{file.device[0]}, {file.device[1]} " if file.device else ""
    layer = "" if file.layer is None else f" #{file.layer + 1}"
    time = minute_text(file.mtime_ns)
    return f"{mode_text(file)} {file.uid}:{file.gid} {size}{device}{time}{layer}"


def _device(file: File) -> str:
    return f"{file.type} {file.device[0]}, {file.device[1]}" if file.device else ""


def changes_text(now: File | None, before: File | None, *, same: bool | None) -> str:
    """Say what a layer made of a file, attribute by attribute.

    Args:
        now: after the layer; None: it is deleted.
        before: in the layers below; None: there was none.
        same: whether the content is the same; None: that was not looked at.
    """
    if before is None:
        return "new in this layer"
    if now is None:
        return "deleted in this layer"
    return ", ".join(_changes(now, before, same=same)) or "the very same again"


def _changes(now: File, before: File, *, same: bool | None) -> Iterator[str]:
    if now.type != before.type:
        yield f"type {before.type} → {now.type}"
    if now.mode != before.mode:
        yield f"mode {before.mode:04o} → {now.mode:04o}"
    if (now.uid, now.gid) != (before.uid, before.gid):
        yield f"owner {before.uid}:{before.gid} → {now.uid}:{now.gid}"
    if now.size != before.size:
        yield f"size {before.size:,} → {now.size:,}"
    elif now.type == before.type == "file" and same is not True:
        yield "content" if same is False else "content not compared"
    if now.target != before.target:
        yield f"target {shown_path(before.target)} → {shown_path(now.target)}"
    if now.device != before.device:
        yield f"device {before.device} → {now.device}"
    if now.mtime_ns != before.mtime_ns:
        times = [time_text(ns) for ns in (before.mtime_ns, now.mtime_ns)]
        yield f"time {times[0]} → {times[1]}"
    if now.xattrs != before.xattrs:
        yield "extended attributes"


def file_lines(
    path: str, now: File | None, before: File | None, *, same: bool | None, image: bool
) -> Iterator[str]:
    """Yield all attributes of a file, or of what it was before a layer deleted it.

    Args:
        path: of it.
        now: as for `changes_text`.
        before: as for `changes_text`.
        same: as for `changes_text`.
        image: it is one of the image, in which nothing is a change.
    """
    yield f"path    /{shown_path(path)}"
    file = now or before
    if file is None:
        yield "a directory that no layer has an entry for; engines make it with mode 0755"
        return
    yield f"type    {_device(file) or file.type}"
    yield f"mode    {mode_text(file)} {file.mode:04o}"
    yield f"owner   {file.uid}:{file.gid}"
    if file.type == "file":
        yield f"size    {file.size:,} B ({human_size(file.size)})"
    yield f"time    {time_text(file.mtime_ns)}"
    if file.target:
        yield f"target  {shown_path(file.target)}"
    yield from (
        f"xattr   {shown_path(name)} = {_value(value)}" for name, value in file.xattrs.items()
    )
    if file.layer is not None:
        yield f"layer   #{file.layer + 1}"
    if not image:
        yield f"change  {changes_text(now, before, same=same)}"
    if not image and now and before:
        yield f"before  {summary_line(before)}"


def _value(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return json.dumps(text) if text.isprintable() and "\ufffd" not in text else value.hex(" ")


def layer_lines(analysis: Analysis, number: int) -> Iterator[str]:
    """Yield all there is to say of a layer, with the whole command that made it."""
    layer = analysis.layers[number - 1]
    yield f"layer    #{number} of {len(analysis.layers)}"
    yield f"ID       {layer.id}"
    yield f"diff ID  {layer.diff_id}"
    if layer.tags:
        yield f"tags     {printable(' '.join(layer.tags))}"
    yield f"size     {layer.size:,} B ({human_size(layer.size)}), stored {human_size(layer.stored)}"
    yield f"live     {human_size(layer.live)}"
    causes = causes_text(layer.dead)
    yield f"dead     {human_size(layer.dead.total)}{f': {causes}' if causes else ''}"
    yield f"entries  {layer.entries}, {count_of(layer.whiteouts, 'whiteout')}"
    yield ""
    yield from _text_lines(instruction(layer.command) or _UNKNOWN)


def config_lines(image: Image) -> Iterator[str]:
    """Yield what an image's config says: how a container starts, labels, the whole history."""
    setup = read_setup(image)
    yield f"ID           {image.id}"
    platform = "/".join(filter(None, (image.config.text(k) for k in ("os", "architecture"))))
    yield f"platform     {printable(platform)}"
    yield f"created      {printable(setup.created or 'not told')}"
    for name, text in setup.fields:
        yield f"{name:<12} {printable(text)}"
    yield from _block("Environment", setup.env)
    yield from _block("Labels", [f"{key}={text}" for key, text in setup.labels])
    yield ""
    yield "History, oldest first"
    for step in image.steps() or ():
        place = "" if step.layer is None else f"#{step.layer + 1}"
        made_by = instruction(str(step.entry.get("created_by") or "")) or _UNKNOWN
        first, *rest = _text_lines(made_by)
        yield f"{place:>5}  {first}"
        yield from (f"       {line}" for line in rest)


def _block(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {printable(line)}" for line in lines)


def _text_lines(text: str) -> list[str]:
    """Keep lines and how far in they are; other tabs were line ends in a Dockerfile."""
    return [printable(_TABS.sub(" ", line).expandtabs()) for line in text.split("\n")]
