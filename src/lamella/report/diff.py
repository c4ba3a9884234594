"""What changed from one image to another: as lines, as a table of directories, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from lamella.operations.diff import FileChange, FileContent, ImageDiff
from lamella.report.differences import difference_details, without_secrets
from lamella.report.text import count_of, human_size, printable
from lamella.rootfs import Difference
from lamella.tar.entry import path_text

__all__ = [
    "DiffLine",
    "diff_lines",
    "line_details",
    "lines_of",
    "stat_lines",
    "sums_of",
    "to_json",
    "unified",
    "verdict",
]

FORMAT_VERSION = 1
_LETTERS = {"added": "A", "removed": "D", "changed": "C"}
_DEPTH = 2
"""Parts of the paths of directories in the table."""
_SIZE = 19
_MOST_LINES = 5000
"""Lines of a file whose content is shown."""
_OF_CONTENT = frozenset({"size", "content"})


# -- lines


@dataclass
class DiffLine:
    """What takes one line: a path, and all below it of which the same is to be said."""

    change: FileChange
    before: int = 0
    after: int = 0
    entries: int = 0

    def take(self, change: FileChange) -> None:
        """Count one of these."""
        self.before += change.before
        self.after += change.after
        self.entries += 1


def diff_lines(found: ImageDiff) -> Iterator[str]:
    """Yield a line for each change; a directory that is new, or gone, is one with all in it."""
    for one in found.platforms:
        yield f"{one.platform}:"
        yield from diff_lines(one)
    yield from map(_line, lines_of(found.changes))
    yield from map(_field, found.config)
    for content in found.contents:
        yield from _content_lines(content)


def lines_of(changes: Iterable[FileChange]) -> list[DiffLine]:
    """Return what takes a line each: a directory that is new, or gone, does with all in it."""
    tops: dict[bytes, DiffLine] = {}  # by path, also of what is below them
    told: list[DiffLine] = []
    for change in changes:
        above = tops.get(change.path.rpartition(b"/")[0])
        if above is None or not _is_covered(change, above.change):
            above = DiffLine(change)
            told.append(above)
        if above.change.kind != "changed" or _is_replaced(above.change):
            tops[change.path] = above
        above.take(change)
    return told


def _is_covered(change: FileChange, above: FileChange) -> bool:
    return above.kind in {change.kind, "changed"}


def _is_replaced(change: FileChange) -> bool:
    return any(difference.what == "type" for difference in change.differences)


def _line(told: DiffLine) -> str:
    change = told.change
    end = "/" if change.type == "directory" else ""
    details = line_details(told)
    path = f"/{printable(path_text(change.path))}{end}"
    return (
        f"{_LETTERS[change.kind]} {_size(told):>{_SIZE}}  {path}{': ' if details else ''}{details}"
    )


def line_details(line: DiffLine) -> str:
    """Return in what a path differs, or how much is in it; empty: there is nothing to say."""
    what = [_what(difference) for difference in line.change.differences]
    more = [f"{line.entries} entries"] if line.entries > 1 else []
    return ", ".join([*what, *more])


def _size(told: DiffLine) -> str:
    if told.change.type != "file" and not told.before and not told.after:
        return ""
    match told.change.kind:
        case "added":
            return human_size(told.after)
        case "removed":
            return human_size(told.before)
    after = human_size(told.after)
    return after if told.before == told.after else f"{human_size(told.before)} → {after}"


def _what(difference: Difference) -> str:
    if difference.what in _OF_CONTENT:
        return "content"
    return f"{printable(difference.what)} {printable(difference.change)}"


def _field(difference: Difference) -> str:
    if difference.what == "image":
        return printable(str(difference))
    difference = without_secrets(difference)
    return f"{printable(difference.what)}: {printable(difference.change)}"


# -- contents


def _content_lines(content: FileContent) -> Iterator[str]:
    path = printable(path_text(content.path))
    lines, note = unified(content)
    yield ""
    yield f"/{path}: {note}" if note else f"/{path}:"
    yield from lines


def unified(content: FileContent) -> tuple[list[str], str]:
    """Return the lines of a unified diff, and why there are none."""
    if content.note:
        return [], content.note
    if content.before == content.after:
        return [], "the same content"
    before, after = map(_text_lines, (content.before, content.after))
    longest = max(len(before), len(after))
    if longest > _MOST_LINES:
        return [], f"too many lines to be compared: {longest}, at most {_MOST_LINES}"
    path = path_text(content.path)
    one = "/dev/null" if content.before is None else f"a/{path}"
    other = "/dev/null" if content.after is None else f"b/{path}"
    return list(unified_diff(before, after, one, other, lineterm="")), ""


def _text_lines(content: bytes | None) -> list[str]:
    if not content:
        return []
    *lines, last = content.split(b"\n")
    ended = [path_text(line) for line in lines]
    return [*ended, f"{path_text(last)} (no line end)"] if last else ended


# -- the table


@dataclass
class _Amounts:
    """How much changed in a directory."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    bytes_added: int = 0
    bytes_removed: int = 0
    growth: int = 0

    def take(self, change: FileChange) -> None:
        match change.kind:
            case "added":
                self.added += 1
                self.bytes_added += change.after
            case "removed":
                self.removed += 1
                self.bytes_removed += change.before
            case _:
                self.changed += 1
                self.growth += change.after - change.before


def stat_lines(found: ImageDiff) -> Iterator[str]:
    """Yield a table: how much changed in which directory."""
    for one in found.platforms:
        yield f"{one.platform}:"
        yield from stat_lines(one)
    by_folder: dict[bytes, _Amounts] = {}
    for change in found.changes:
        parts = change.path.split(b"/")
        folder = b"/".join(parts[: min(_DEPTH, len(parts) - 1)])
        by_folder.setdefault(folder, _Amounts()).take(change)
    if by_folder:
        yield f"{'added':>16}{'removed':>18}{'changed':>18}  directory"
    for folder in sorted(by_folder):
        yield _row(by_folder[folder], f"/{printable(path_text(folder))}")
    if found.config:
        yield f"{count_of(len(found.config), 'field')} of the config"


def _row(sums: _Amounts, name: str) -> str:
    cells = (
        (sums.added, human_size(sums.bytes_added)),
        (sums.removed, human_size(sums.bytes_removed)),
        (sums.changed, _signed(sums.growth)),
    )
    texts = [f"{count} {size:>9}" if count else "" for count, size in cells]
    return f"{texts[0]:>16}{texts[1]:>18}{texts[2]:>18}  {name}"


def _signed(size: int) -> str:
    return f"{'-' if size < 0 else '+'}{human_size(abs(size))}"


def sums_of(found: ImageDiff) -> list[tuple[str, int, str]]:
    """Return how many paths were added, removed and changed, with their bytes as text."""
    sums = _sums(found)
    return [
        ("added", sums.added, human_size(sums.bytes_added)),
        ("removed", sums.removed, human_size(sums.bytes_removed)),
        ("changed", sums.changed, _signed(sums.growth)),
    ]


def _sums(found: ImageDiff) -> _Amounts:
    sums = _Amounts()
    for one in found.platforms or (found,):
        for change in one.changes:
            sums.take(change)
    return sums


def verdict(found: ImageDiff) -> str:
    """Say in a few words how much changed."""
    images, sums, parts = found.platforms or (found,), _sums(found), []
    if sums.added:
        parts.append(f"{sums.added} added ({human_size(sums.bytes_added)})")
    if sums.removed:
        parts.append(f"{sums.removed} removed ({human_size(sums.bytes_removed)})")
    if sums.changed:
        parts.append(f"{sums.changed} changed ({_signed(sums.growth)})")
    fields = [d for one in images for d in one.config if d.what != "image"]
    if fields:
        parts.append(f"{count_of(len(fields), 'field')} of the config")
    alone = [d for one in images for d in one.config if d.what == "image"]
    if alone:
        parts.append(f"{count_of(len(alone), 'platform')} of only one")
    ignored = sum(sum((one.ignored or {}).values()) for one in images)
    text = ", ".join(parts) or "the same"
    return f"{text}; {ignored} ignored" if ignored else text


# -- JSON


def to_json(found: ImageDiff) -> dict[str, Any]:
    """Return the document of ``lamella diff --json`` (see docs/json.md)."""
    return {"version": FORMAT_VERSION, "a": found.a, "b": found.b, **_image_to_json(found)}


def _image_to_json(found: ImageDiff) -> dict[str, Any]:
    sums = _sums(found)
    return {
        "equal": found.equal,
        "platform": found.platform,
        "shared_layers": found.shared_layers,
        "added": {"count": sums.added, "bytes": sums.bytes_added},
        "removed": {"count": sums.removed, "bytes": sums.bytes_removed},
        "changed": {"count": sums.changed, "bytes": sums.growth},
        "changes": [_change_to_json(change) for change in found.changes],
        "config": [difference_details(without_secrets(one)) for one in found.config],
        "contents": [_content_to_json(content) for content in found.contents],
        "ignored": dict(found.ignored or {}),
        "platforms": [_image_to_json(one) for one in found.platforms],
    }


def _change_to_json(change: FileChange) -> dict[str, Any]:
    return {
        "path": path_text(change.path),
        "change": change.kind,
        "type": change.type,
        "before": change.before,
        "after": change.after,
        "differences": [_told_values(difference) for difference in change.differences],
    }


def _told_values(difference: Difference) -> dict[str, Any]:
    details = difference_details(difference)
    return {key: details[key] for key in ("what", "ours", "theirs")}


def _content_to_json(content: FileContent) -> dict[str, Any]:
    lines, note = unified(content)
    return {"path": path_text(content.path), "note": note, "lines": lines}
