#!/usr/bin/env python3
"""Measure how long it takes to plan for a catalogue whose layers are known; print JSON.

    .venv/bin/python bench/fleet.py [IMAGES [LAYERS]]

The images are made up: each stands on another one, at any height. Sizes are made up too: a merged
layer has less than its parts, and sometimes less than its upper part. One in a hundred layers
stands at several places of the tree. Processor seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lamella.fleet.best import choose_plan
from lamella.fleet.tree import Catalogue, FleetImage
from lamella.spec.digest import Digest


def catalogue_of(count: int, layers: int, random: Random) -> Catalogue:
    """Return a catalogue of so many images of so many layers."""
    common = [Digest.of(b"common %d" % number) for number in range(20)]
    paths: list[tuple[Digest, ...]] = []
    for number in range(count):
        other = random.choice(paths) if paths else ()
        below = other[: random.randint(1, layers - 1)]
        new = [
            Digest.of(b"%d %d" % (number, at)) if random.randrange(100) else random.choice(common)
            for at in range(len(below), layers)
        ]
        paths.append((*below, *new))
    return Catalogue.of(
        FleetImage(
            f"image-{number}", path, tuple(512 * (1 + int(d.hex[:5], 16) % 9999) for d in path)
        )
        for number, path in enumerate(paths)
    )


def sizes_of(catalogue: Catalogue, random: Random) -> list[Sequence[int]]:
    """Return sizes of all layers there may be: some of the lower part is dead in the upper one."""
    rows: list[Sequence[int]] = []
    for node in catalogue.nodes:
        row = [node.size]
        for number in reversed(catalogue.path(node.number)[:-1]):
            more = catalogue.nodes[number].size // 512 * random.choice([0, 1, 9, 10, 10]) // 10
            row.append(row[-1] + 512 * more - 512 * (not random.randrange(10)))
        rows.append(row[::-1])
    return rows


def main() -> None:
    """Measure without a limit, with one, and with pulls."""
    count, layers = ([int(arg) for arg in sys.argv[1:]] + [1000, 30])[:2]
    random = Random(0)
    catalogue = catalogue_of(count, layers, random)
    rows = sizes_of(catalogue, random)
    found: dict[str, object] = {"nodes": len(catalogue.nodes)}
    pulls = {image.name: random.randint(0, 3) for image in catalogue.images}
    for name, asked in {
        "free": {},
        "10 layers": {"max_layers": 10},
        "pulls": {"pulls": pulls},
    }.items():
        begin = time.process_time()
        plan = choose_plan(catalogue, rows.__getitem__, **asked)  # type: ignore[arg-type]
        found[name] = {
            "seconds": round(time.process_time() - begin, 2),
            "before": plan.stored_before,
            "after": plan.stored_after,
            "gap": plan.gap,
        }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
