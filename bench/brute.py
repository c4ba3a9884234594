"""Hold plans against the best of all plans, found by trying each; prints JSON.

    python -m bench.brute [--catalogues 1000] [--seed 0]

For each kind of random catalogue: how often the plan is the best, how often it says so itself, and
how many bytes all plans that are not the best have more, of a million.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from lamella.fleet.best import choose_plan
from tests.fleet.catalogues import Case, best_of_all, made_up, real

_LIMIT = 4
_PULLS = (0, 1, 3)


def _plain(case: Case, random: Random) -> Mapping[str, Any]:
    del case, random
    return {}


def _limited(case: Case, random: Random) -> Mapping[str, Any]:
    del case
    return {"limit": random.randint(1, _LIMIT)}


def _pulled(case: Case, random: Random) -> Mapping[str, Any]:
    return {"pulls": {image.name: random.choice(_PULLS) for image in case.catalogue.images}}


KINDS: Mapping[
    str, tuple[Callable[[Random], Case], Callable[[Case, Random], Mapping[str, Any]]]
] = {
    "made-up sizes, no piece smaller than its upper part": (made_up, _plain),
    "sizes of real tars": (real, _plain),
    "with a limit": (real, _limited),
    "with pulls": (real, _pulled),
    "layers at several places": (lambda random: real(random, repeated=True), _plain),
}


def compared(name: str, count: int, seed: int) -> dict[str, Any]:
    """Return how good the plans for so many catalogues of a kind are."""
    make, ask = KINDS[name]
    best = proven = more = total = 0
    for number in range(count):
        random = Random(f"{seed} {name} {number}")
        case = make(random)
        asked = ask(case, random)
        plan = choose_plan(
            case.catalogue,
            case.sizes,
            max_layers=asked.get("limit"),
            pulls=asked.get("pulls"),
        )
        cost = plan.stored_after + plan.pulled_after
        least = best_of_all(case, cost, **asked)
        assert plan.at_least <= least, (name, number)
        best, proven = best + (cost == least), proven + (plan.gap == 0)
        more, total = more + cost - least, total + least
    return {"catalogues": count, "best": best, "proven": proven, "more": round(more / total, 6)}


def main() -> None:
    """Compare all kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogues", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    found = {name: compared(name, args.catalogues, args.seed) for name in KINDS}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
