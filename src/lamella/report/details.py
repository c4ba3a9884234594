"""All there is to say of one file, of one layer, and of an image's config, as lines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lamella.analysis.hidden import hide_setting, hide_values, shown_instruction
from lamella.analysis.model import Analysis
from lamella.analysis.setup import read_setup
from lamella.image import Image
from lamella.inside.file import File
from lamella.report.files import minute_text, mode_text, shown_path
from lamella.report.text import causes_text, count_of, human_size, printable
from lamella.tar.entry import time_text

__all__ = ["Line", "changes_text", "config_lines", "file_lines", "layer_lines", "summary_line"]

_UNKNOWN = "no command recorded"
_STEP_IN = 2
_TABS = re.compile(r"(?<=\S)[ \t]*\t[ \t]*")


class Line(NamedTuple):
    """A line of a window."""

    text: str
    indent: int = 0
    """Columns before its value: where it goes on, if it is too long for one line."""


def _fields(width: int) -> Callable[[str, str], Line]:
    """Return what makes lines of names and values; values begin after so many columns."""
    return lambda name, value: Line(f"{name:<{width}}{value}", width)


def summary_line(file: File, *, own_layer: int | None = None) -> str:
    """Say layer, mode, owner, size and time in a line; what is cut off first is least wanted.

    Args:
        file: the file.
        own_layer: position of the layer that is shown anyway, and is left out.
    """
    size = f"{human_size(file.size)} " if file.type == "file" else ""
    device = f"{file.device[0]}, {file.device[1]} " if file.device else ""
    layer = "" if file.layer in {None, own_layer} else f"layer {(file.layer or 0) + 1} "
    time = minute_text(file.mtime_ns)
    return f"{layer}{mode_text(file)} {file.uid}:{file.gid} {size}{device}{time}"


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
    return ", ".join(_changes(now, before, same=same)) or "stored again, unchanged"


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
) -> Iterator[Line]:
    """Yield all attributes of a file, or of what it was before a layer deleted it.

    Args:
        path: of it.
        now: as for `changes_text`.
        before: as for `changes_text`.
        same: as for `changes_text`.
        image: it is one of the image, in which nothing is a change.
    """
    field = _fields(8)
    yield field("path", f"/{shown_path(path)}")
    file = now or before
    if file is None:
        yield Line("no layer has an entry for this directory; engines create it with mode 0755")
        return
    yield field("type", _device(file) or file.type)
    yield field("mode", f"{mode_text(file)} {file.mode:04o}")
    yield field("owner", f"{file.uid}:{file.gid}")
    if file.type == "file":
        yield field("size", f"{file.size:,} B ({human_size(file.size)})")
    yield field("time", time_text(file.mtime_ns))
    if file.target:
        yield field("target", shown_path(file.target))
    for name, value in file.xattrs.items():
        yield field("xattr", f"{shown_path(name)} = {_value(value)}")
    if file.layer is not None:
        yield field("layer", f"{file.layer + 1}")
    if not image:
        yield field("change", changes_text(now, before, same=same))
    if not image and now and before:
        yield field("before", summary_line(before))


def _value(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return json.dumps(text) if text.isprintable() and "\ufffd" not in text else value.hex(" ")


def layer_lines(analysis: Analysis, number: int, *, hide: bool = True) -> Iterator[Line]:
    """Yield all there is to say of a layer, with the whole command that made it.

    Args:
        analysis: of the image.
        number: of the layer.
        hide: leave out values that have the name of a secret.
    """
    layer, field = analysis.layers[number - 1], _fields(9)
    yield field("layer", f"{number} of {len(analysis.layers)}")
    yield field("ID", layer.id)
    yield field("diff ID", str(layer.diff_id))
    if layer.tags:
        yield field("tags", printable(" ".join(layer.tags)))
    size = f"{layer.size:,} B ({human_size(layer.size)})"
    yield field("size", f"{size}, stored {human_size(layer.stored)}")
    yield field("live", human_size(layer.live))
    causes = causes_text(layer.dead)
    yield field("dead", f"{human_size(layer.dead.total)}{f': {causes}' if causes else ''}")
    yield field("entries", f"{layer.entries}, {count_of(layer.whiteouts, 'whiteout')}")
    yield Line("")
    for text in _text_lines(shown_instruction(layer.command, hide=hide) or _UNKNOWN):
        yield _further_in(text)


def config_lines(image: Image, *, hide: bool = True) -> Iterator[Line]:
    """Yield what an image's config says: how a container starts, labels, the whole history.

    Args:
        image: the image.
        hide: leave out values that have the name of a secret.
    """
    setup, field = read_setup(image), _fields(13)
    yield field("ID", str(image.id))
    platform = "/".join(filter(None, (image.config.text(k) for k in ("os", "architecture"))))
    yield field("platform", printable(platform))
    yield field("created", printable(setup.created or "not recorded"))
    for name, text in setup.fields:
        yield field(name, printable(hide_values(text) if hide else text))
    yield from _block("Environment", setup.env, hide=hide)
    yield from _block("Labels", [f"{key}={text}" for key, text in setup.labels], hide=hide)
    yield Line("")
    yield Line("History, oldest first")
    for step in image.steps() or ():
        place = "" if step.layer is None else step.layer + 1
        created_by = str(step.entry.get("created_by") or "")
        first, *rest = _text_lines(shown_instruction(created_by, hide=hide) or _UNKNOWN)
        yield Line(f"{place:>5}  {first}", 7 + _STEP_IN)
        yield from (_further_in(f"       {line}") for line in rest)


def _block(title: str, lines: Sequence[str], *, hide: bool) -> Iterator[Line]:
    if lines:
        yield Line("")
        yield Line(title)
    for line in lines:
        yield _further_in(f"  {printable(hide_setting(line) if hide else line)}")


def _further_in(text: str) -> Line:
    """Return a line that goes on a little further in than it begins."""
    return Line(text, len(text) - len(text.lstrip()) + _STEP_IN)


def _text_lines(text: str) -> list[str]:
    """Keep lines and how far in they are; other tabs were line ends in a Dockerfile."""
    return [printable(_TABS.sub(" ", line).expandtabs()) for line in text.split("\n")]
