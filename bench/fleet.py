#!/usr/bin/env python3
"""Measure how long it takes to plan for a catalogue whose layers are known; print JSON.

    .venv/bin/python bench/fleet.py [--counts 1000] [--layers 30] [--only free]

The images are made up: each stands on another one, at any height. Sizes are made up too: a merged
layer has less than its parts, and sometimes less than its upper part. One in a hundred layers
stands at several places of the tree. Processor seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
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


def measure(count: int, layers: int, kinds: Sequence[str]) -> dict[str, object]:
    """Measure without a limit, with one, and with pulls, as far as it is wanted."""
    random = Random(0)
    catalogue = catalogue_of(count, layers, random)
    rows = sizes_of(catalogue, random)
    found: dict[str, object] = {"nodes": len(catalogue.nodes)}
    pulls = {image.name: random.randint(0, 3) for image in catalogue.images}
    asked: dict[str, dict[str, object]] = {
        "free": {},
        "10 layers": {"max_layers": 10},
        "pulls": {"pulls": pulls},
    }
    for name in kinds or asked:
        begin = time.process_time()
        plan = choose_plan(catalogue, rows.__getitem__, **asked[name])  # type: ignore[arg-type]
        found[name] = {
            "seconds": round(time.process_time() - begin, 2),
            "before": plan.stored_before,
            "after": plan.stored_after,
            "gap": plan.gap,
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found["MB, catalogue included"] = round(peak / 1e6)
    return found


def main() -> None:
    """Measure for each number of images; the smallest first, as memory is that of the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="1000")
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--only", action="append", default=[])
    args = parser.parse_args()
    for count in map(int, args.counts.split(",")):
        print(json.dumps({count: measure(count, args.layers, args.only)}), flush=True)


if __name__ == "__main__":
    main()
