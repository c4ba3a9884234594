"""The layers of an image as lines: for people, for scripts, as a Dockerfile, as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lamella.analysis.instruction import instruction
from lamella.image import Image
from lamella.layer_list import LayerLine
from lamella.report.drawing import Paint, cut, draw_bar, plain
from lamella.report.text import human_size, one_line, printable

__all__ = [
    "dockerfile",
    "machine",
    "table",
    "to_json",
    "tree",
    "tree_numbered",
]

FORMAT_VERSION = 1
_ELBOW = " └─ "
_WIDEST_COMMAND = 60
_BAR = 12
_NOTED = 0.005
_UNKNOWN = "no command recorded"
_INSTRUCTION = re.compile(
    "(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL"
    "|STOPSIGNAL|USER|VOLUME|WORKDIR) "
)


def tree(lines: Sequence[LayerLine], *, tags: bool, commands: bool) -> list[str]:
    """One line a layer, each a space further in: the form of the original ``layers.py``."""
    out = []
    for depth, line in enumerate(lines):
        text = " " * (depth - 1) + _ELBOW + line.id if depth else line.id
        if commands:
            text += f" [{printable(line.command)}]"
        if tags and line.tags:
            text += f" {list(line.tags)}"
        out.append(text)
    return out


def machine(lines: Sequence[LayerLine], *, commands: bool) -> list[str]:
    """One plain line a layer: ``ID``, or ``ID|command``."""
    if not commands:
        return [line.id for line in lines]
    return [f"{line.id}|{printable(line.command)}" for line in lines]


def tree_numbered(lines: Sequence[LayerLine]) -> list[str]:
    """The tree with what one needs to choose layers: number, short ID, size, tags, command."""
    out = []
    for depth, line in enumerate(lines):
        elbow = " " * (depth - 1) + _ELBOW if depth else ""
        command = _short(line)
        parts = [str(line.number), line.id[:12], human_size(line.size), *line.tags, command]
        out.append(elbow + "  ".join(part for part in parts if part))
    return out


def _short(line: LayerLine) -> str:
    command = one_line(instruction(line.command))
    if len(command) > _WIDEST_COMMAND:
        command = command[: _WIDEST_COMMAND - 1] + "…"
    return command


def table(lines: Sequence[LayerLine], width: int | None = None, paint: Paint = plain) -> list[str]:
    """The layers with what is dead of them, one below the other.

    Args:
        lines: the layers; `dead` is known.
        width: columns of the terminal; None: as many as it takes.
        paint: gives colours.
    """
    largest = max((line.size for line in lines), default=0)
    widest = len(str(len(lines)))
    out = []
    for line in lines:
        dead = line.dead or 0.0
        start = f"{line.number:>{widest}}  {line.id[:12]}  {human_size(line.size):>8}  "
        lost = f"  {100 * dead:3.0f} % dead  " if dead >= _NOTED else " " * 14
        rest = "  ".join(part for part in (*line.tags, _short(line)) if part)
        if width is not None:
            rest = cut(rest, max(1, width - len(start) - _BAR - len(lost)))
        out.append((start + draw_bar(line.size, largest, dead, paint, _BAR) + lost + rest).rstrip())
    return out


def dockerfile(image: Image) -> list[str]:
    """Return a Dockerfile made out of the history; what it can't know is said in comments."""
    steps = image.steps()
    if steps is None:
        return [f"# {image.name} has no history", "FROM scratch"]
    lines = [
        "# made from the history; an image doesn't contain the sources of ADD and COPY",
        "FROM scratch",
    ]
    for step in steps:
        made_by = instruction(str(step.entry.get("created_by") or ""))
        comment = str(step.entry.get("comment") or "")
        known = _INSTRUCTION.match(made_by)
        lines.append(printable(made_by if known else f"# {made_by or comment or _UNKNOWN}"))
    return lines


def to_json(image: Image, lines: Sequence[LayerLine]) -> dict[str, Any]:
    """Return the document of ``lamella layers --json`` (see docs/json.md)."""
    return {
        "version": FORMAT_VERSION,
        "reference": image.name,
        "id": str(image.id),
        "tags": list(image.tags),
        "layers": [
            {
                "number": line.number,
                "id": line.id,
                "diff_id": line.diff_id,
                "chain_id": line.chain_id,
                "size": line.size,
                "command": line.command,
                "tags": list(line.tags),
            }
            for line in lines
        ],
    }
