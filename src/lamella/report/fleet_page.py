"""A plan for many images as a page, with the tree of layers drawn before and after.

In the drawing a layer is as wide as it has bytes, and as high as there are images that have it: its
area is what it would take without sharing, its width what is stored. What lies on it stands to the
right of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lamella.fleet.best import FleetPlan
from lamella.report.fleet_plan import before_of, branches, outcome
from lamella.report.html import fill_page
from lamella.report.text import count_of, human_size, printable

__all__ = ["Box", "draw", "page"]

_WIDTH = 1000
_ROW, _LOWEST, _HIGHEST = 18, 90, 640
_LEAST, _MOST = 0.4, 4000
_LETTER, _LINE = 6.5, 13
_ROWS = 500


@dataclass(frozen=True)
class Box:
    """A layer in the drawing."""

    x: float
    y: float
    width: float
    height: float
    look: str
    """``kept`` or ``new``; ``dead`` for what of it may be dead in each image."""
    about: str
    label: str
    """What has room in it."""


@dataclass(frozen=True)
class _Drawn:
    """A layer of a path."""

    key: object
    size: int
    dead: int
    look: str
    about: str


@dataclass
class _Twig:
    """A layer in the tree that is drawn."""

    step: _Drawn
    paths: int = 0
    kids: dict[object, _Twig] = field(default_factory=dict)


def page(plan: FleetPlan) -> str:
    """Return a plan as a page. The same plan gives the same page."""
    now, then = _paths_now(plan), _paths_then(plan)
    scale = max((sum(step.size for step in path) for path in now + then), default=0)
    tree = branches(plan.catalogue)
    images = sorted(plan.images, key=lambda image: image.after - image.before)
    made = sorted(plan.made, key=lambda new: new.size - before_of(plan, new))
    return fill_page(
        "fleet.html",
        plan=plan,
        title=count_of(len(plan.images), "image"),
        outcome=list(outcome(plan)),
        drawings=[("before", "Before", *draw(now, scale)), ("after", "After", *draw(then, scale))],
        nodes=plan.catalogue.nodes,
        branches=tree[:_ROWS],
        images=images[:_ROWS],
        made=[(new, before_of(plan, new)) for new in made[:_ROWS]],
        left_out=[max(0, len(all_) - _ROWS) for all_ in (tree, images, made)],
    )


def _paths_now(plan: FleetPlan) -> list[list[_Drawn]]:
    nodes, paths = plan.catalogue.nodes, []
    for end in sorted(set(plan.catalogue.ends)):
        path = []
        for number in plan.catalogue.path(end):
            node = nodes[number]
            look = "kept" if node.diff_id in plan.kept else "gone"
            about = f"layer {node.depth + 1}: {human_size(node.size)}, {_used(node.images)}"
            path.append(_Drawn(number, node.size, node.dead, look, about))
        paths.append(path)
    return paths


def _paths_then(plan: FleetPlan) -> list[list[_Drawn]]:
    nodes = plan.catalogue.nodes
    made = {(nodes[new.first].depth, new.last): new for new in plan.made}
    by_end = dict(zip(plan.catalogue.ends, plan.images, strict=True))
    paths = []
    for end in sorted(by_end):
        numbers, path = plan.catalogue.path(end), []
        for piece in by_end[end].pieces:
            last = numbers[piece.stop - 1]
            if len(piece) == 1:
                about = f"layer {piece.stop}: {human_size(nodes[last].size)}, as it is"
                path.append(_Drawn(last, nodes[last].size, nodes[last].dead, "kept", about))
                continue
            new = made[piece.start, last]
            about = (
                f"layers {piece.start + 1}-{piece.stop} as one: {human_size(new.size)}, "
                f"{_used(new.images)}"
            )
            path.append(_Drawn((piece.start, last), new.size, 0, "new", about))
        paths.append(path)
    return paths


def _used(images: int) -> str:
    return f"in {count_of(images, 'image')}"


# -- the drawing


def draw(paths: Iterable[Sequence[_Drawn]], scale: int) -> tuple[float, list[Box], int]:
    """Return the height of a drawing, its boxes, and how many are too small to be drawn.

    Args:
        paths: the layers of each image, base first.
        scale: bytes that are as wide as the drawing.
    """
    top = _Twig(_Drawn(None, 0, 0, "", ""))
    for path in paths:
        twig = top
        twig.paths += 1
        for step in path:
            twig = twig.kids.setdefault(step.key, _Twig(step))
            twig.paths += 1
    height = min(_HIGHEST, max(_LOWEST, _ROW * top.paths))
    return height, *_boxes(top, height / (top.paths or 1), _WIDTH / (scale or 1))


def _boxes(top: _Twig, row: float, column: float) -> tuple[list[Box], int]:
    boxes: list[Box] = []
    small = 0
    begun = [(top, 0.0, 0.0)]
    while begun:
        twig, x, y = begun.pop()
        step = twig.step
        width, height = step.size * column, twig.paths * row
        if twig is not top:
            if width < _LEAST or height < _LEAST or len(boxes) >= _MOST:
                small += 1
            else:
                boxes += _box(step, (x, y, width, height))
        for kid in sorted(twig.kids.values(), key=lambda kid: (-kid.paths, -kid.step.size)):
            begun.append((kid, x + width, y))
            y += kid.paths * row
    return boxes, small


def _box(step: _Drawn, place: tuple[float, float, float, float]) -> list[Box]:
    x, y, width, height = (round(length, 2) for length in place)
    dead = round(width * step.dead / step.size, 2) if step.size else 0
    label = human_size(step.size)
    if height < _LINE or len(label) * _LETTER > width - dead:
        label = ""
    boxes = [Box(x, y, width, height, step.look, printable(step.about), label)]
    if dead >= _LEAST:
        boxes.append(Box(round(x + width - dead, 2), y, dead, height, "dead", "", ""))
    return boxes
