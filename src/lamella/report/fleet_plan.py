"""A plan for many images: on one screen for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lamella.analysis.instruction import instruction
from lamella.fleet.best import FleetPlan, ImagePlan, NewLayer
from lamella.fleet.plan_file import plan_to_json
from lamella.fleet.tree import Catalogue
from lamella.report.batch import failure_line, failure_lines
from lamella.report.drawing import Paint, cut, cut_front, plain
from lamella.report.text import count_of, human_size, one_line, percent, printable

__all__ = [
    "WIDTH",
    "Branch",
    "before_of",
    "branches",
    "head",
    "outcome",
    "screen",
    "to_json",
    "unread_lines",
]

FORMAT_VERSION = 1
WIDTH = 80
_BRANCHES, _IMAGES = 12, 12
_DEEP = 8


@dataclass(frozen=True)
class Branch:
    """Layers that follow each other and are in the same images."""

    nodes: tuple[int, ...]
    level: int
    """How many branches lie below."""
    size: int
    dead: int
    images: int
    names: tuple[str, ...]
    """Images that end with it."""

    @property
    def rest(self) -> int:
        """Of its bytes, those that are not dead everywhere, at the least."""
        return self.size - self.dead


def branches(catalogue: Catalogue) -> list[Branch]:
    """Return the tree as branches: each after what it stands on, the most used ones first."""
    nodes, found = catalogue.nodes, list[Branch]()

    def rank(number: int) -> tuple[int, int, int]:
        return nodes[number].images, nodes[number].size, -number

    begun = [(node.number, 0) for node in nodes if node.parent < 0]
    begun.sort(key=lambda one: rank(one[0]))
    while begun:
        number, level = begun.pop()
        run = [number]
        while not nodes[run[-1]].ends and len(nodes[run[-1]].kids) == 1:
            run.append(nodes[run[-1]].kids[0])
        last = nodes[run[-1]]
        found.append(
            Branch(
                tuple(run),
                level,
                sum(nodes[n].size for n in run),
                sum(nodes[n].dead for n in run),
                last.images,
                tuple(catalogue.images[place].name for place in last.ends),
            )
        )
        kids = sorted(last.kids, key=rank)
        begun += [(kid, level + 1) for kid in kids]
    return found


def before_of(plan: FleetPlan, new: NewLayer) -> int:
    """Return the bytes of the layers that a new one takes the place of, in one image."""
    nodes, size, number = plan.catalogue.nodes, 0, new.last
    while True:
        size += nodes[number].size
        if number == new.first:
            return size
        number = nodes[number].parent


def head(plan: FleetPlan) -> Iterator[str]:
    """Yield how many images there are, and what of them is stored, a line each."""
    tree = plan.catalogue
    different = len(set(tree.ends))
    same = f", {different} of them different" if different < len(tree.images) else ""
    layers = count_of(len(tree.stored()), "layer")
    yield f"{count_of(len(tree.images), 'image')}{same}  {layers}, {human_size(plan.stored_before)}"
    yield (
        f"shared {human_size(tree.shared)}, unique {human_size(tree.unique)}, "
        f"dead {human_size(tree.dead)} ({percent(tree.dead, plan.stored_before)})"
    )


def outcome(plan: FleetPlan) -> Iterator[str]:
    """Yield what the plan is worth, a line each."""
    yield _change("stored", plan.stored_before, plan.stored_after)
    if plan.pulled_before:
        yield _change("pulled", plan.pulled_before, plan.pulled_after)
    if plan.perhaps_equal:
        size = human_size(plan.perhaps_equal)
        yield f"some new layers are of one size; if they are equal, up to {size} less is stored"
    if not plan.gap:
        yield "no plan saves more"
    elif plan.pulled_before or plan.max_layers is not None:
        yield f"a better plan may exist; it would save at most {human_size(plan.gap)} more"
    else:
        yield f"a better plan would save at most {human_size(plan.gap)} more"


def _change(what: str, before: int, after: int) -> str:
    word = "saved" if after <= before else "more"
    size = human_size(abs(before - after))
    part = percent(abs(before - after), before)
    return f"{what}  {human_size(before)} → {human_size(after)}   {word} {size} ({part})"


# -- the screen


def screen(plan: FleetPlan, paint: Paint = plain, width: int = WIDTH) -> list[str]:
    """Return what to squash in which image, and what that is worth.

    Args:
        plan: for all images.
        paint: gives colours.
        width: columns; what has no room is cut off.
    """
    lines = [*head(plan), "", *_tree(plan, paint, width), ""]
    lines += [*_images(plan, paint, width), ""]
    return [*lines, *outcome(plan)]


def _tree(plan: FleetPlan, paint: Paint, width: int) -> Iterator[str]:
    yield paint("title", f"  {'size':>8}  {'dead':>8}  {'images':>6}  layers")
    every = branches(plan.catalogue)
    shown = every[:_BRANCHES] if len(every) > _BRANCHES + 1 else every
    for branch in shown:
        dead = human_size(branch.dead) if branch.dead else "-"
        start = f"  {human_size(branch.size):>8}  {dead:>8}  {branch.images:>6}  "
        start += "  " * min(branch.level, _DEEP)
        yield start + cut(_told(plan.catalogue, branch), width - len(start))
    if len(shown) < len(every):
        rest = every[len(shown) :]
        size, lost = sum(b.size for b in rest), sum(b.dead for b in rest)
        counted = f"  {human_size(size):>8}  {human_size(lost) if lost else '-':>8}"
        yield f"{counted}  {'…':>6}  {len(rest)} more branches; --html draws all"


def _told(catalogue: Catalogue, branch: Branch) -> str:
    first, last = (catalogue.nodes[n] for n in (branch.nodes[0], branch.nodes[-1]))
    numbers = f"{first.depth + 1}"
    if last.depth > first.depth:
        numbers += f"-{last.depth + 1}"
    names = ", ".join(map(printable, branch.names))
    return f"{numbers} {names or one_line(instruction(last.step))}".rstrip()


def _images(plan: FleetPlan, paint: Paint, width: int) -> Iterator[str]:
    changed = [image for image in plan.images if image.layers]
    if not changed:
        yield "nothing to squash: no squash would save anything"
        return
    yield paint("title", f"  {'layers':>9}  {'size':<21} {'--layers':<16} image")
    changed.sort(key=lambda image: image.after - image.before)
    shown = changed[:_IMAGES]
    for image in shown:
        layers = f"{len(image.image.diff_ids)} → {len(image.pieces)}"
        sizes = f"{human_size(image.before)} → {human_size(image.after)}"
        start = f"  {layers:>9}  {sizes:<21} {_ranges(image):<16} "
        yield start + cut_front(printable(image.image.name), width - len(start))
    if len(shown) < len(changed):
        yield f"  … {len(changed) - len(shown)} more; --json shows all"
    if stay := len(plan.images) - len(changed):
        yield f"  {count_of(stay, 'image')} {'stays' if stay == 1 else 'stay'} as {_it(stay)}"


def _it(count: int) -> str:
    return "it is" if count == 1 else "they are"


def _ranges(image: ImagePlan) -> str:
    """Return the ranges as far as they have room."""
    text = ",".join(image.layers)
    most = 16
    return text if len(text) <= most else f"{text[: most - 1].rpartition(',')[0]},…"


def unread_lines(plan: FleetPlan) -> list[str]:
    """Return which images are left out, and why; nothing, if none is."""
    unread = [failure_line(one.name, one.message, one.exit_code) for one in plan.unread]
    left_out = "is not in the plan" if len(unread) == 1 else "are not in the plan"
    title = f"{count_of(len(unread), 'image')} can't be read and {left_out}"
    return list(failure_lines(title, unread))


# -- JSON


def to_json(plan: FleetPlan) -> dict[str, Any]:
    """Return the document of ``lamella plan --json`` (see docs/json.md)."""
    tree, document = plan.catalogue, plan_to_json(plan)
    return {
        "version": FORMAT_VERSION,
        "bytes": {
            "stored": plan.stored_before,
            "shared": tree.shared,
            "unique": tree.unique,
            "dead": tree.dead,
        },
        **{key: document[key] for key in ("max_layers", "stored", "pulled", "gap", "images")},
        "unread": [
            {"image": one.name, "exit_code": one.exit_code, "message": one.message}
            for one in plan.unread
        ],
        "new_layers": [
            {
                "first": tree.nodes[new.first].depth + 1,
                "last": tree.nodes[new.last].depth + 1,
                "node": new.last,
                "images": new.images,
                "bytes_before": before_of(plan, new),
                "bytes_after": new.size,
            }
            for new in plan.made
        ],
        "tree": [
            {
                "node": node.number,
                "parent": node.parent if node.parent >= 0 else None,
                "chain_id": str(node.chain_id),
                "diff_id": str(node.diff_id),
                "bytes": node.size,
                "dead": node.dead,
                "images": node.images,
                "kept": node.diff_id in plan.kept,
                "command": node.step,
                "names": [tree.images[place].name for place in node.ends],
            }
            for node in tree.nodes
        ],
    }
