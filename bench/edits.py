#!/usr/bin/env python3
"""What leaving out paths and limiting times cost over the plain squash of the same archive.

    .venv/bin/python bench/edits.py                    100,000 tiny files; 88,000 files of 1.5 GB
    .venv/bin/python bench/edits.py --rounds 9 --image tiny

All ways run in turn, each in a process of its own, round by round. Processor time is told (what
else runs here is left out so), the median of the rounds, and that of the ratios to the plain squash
of the same round. The patterns match little, so that the same bytes are written: what is measured
is the search.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measure import Sample
from bench.shop import Shop, temporary

_ONE = ("**/*.pyc",)
_TWENTY = (
    *("**/*.pyc", "**/__pycache__", "usr/share/doc", "usr/share/man", "!usr/share/man/man1"),
    *("var/cache/*", "**/.git", "root/.ssh", "tmp", "**/*.[ao]", "etc/ssl/private/*.key"),
    *("**/node_modules/**/test", "srv/d0000/f00000?", "usr/lib/part01/package000", "**/*.map"),
    *("home/*/.bash_history", "**/.DS_Store", "var/log/**", "opt/*/docs", "**/Thumbs.db"),
)


def _excluding(patterns: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for pattern in patterns for word in ("--exclude", pattern))


WAYS: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "1 pattern": _excluding(_ONE),
    "20 patterns": _excluding(_TWENTY),
    "times: all early": ("--clamp-mtime", "2040-01-01"),
    "times: all changed": ("--clamp-mtime", "1980-01-01"),
}


def measure(shop: Shop, name: str, rounds: int) -> dict[str, list[Sample]]:
    """Squash an image in every way, in turn; a round before warms up."""
    source, result = shop.archive(name), shop.folder / "result.tar"
    found: dict[str, list[Sample]] = {way: [] for way in WAYS}
    for number in range(rounds + 1):
        for way, options in WAYS.items():
            result.unlink(missing_ok=True)
            output = ("-q", *options, "-o", f"docker-archive:{result}")
            sample = shop.run([shop.lamella, "squash", source, *output])
            if number:
                found[way].append(sample)
    return found


def show(name: str, found: Mapping[str, Sequence[Sample]]) -> None:
    """Print what the ways take."""
    plain = [sample.cpu for sample in found["plain"]]
    for way, samples in found.items():
        times = [sample.cpu for sample in samples]
        ratio = statistics.median(b / a for a, b in zip(plain, times, strict=True))
        print(f"{name:10} {way:20} {statistics.median(times):7.3f} s {100 * ratio - 100:+6.1f} %")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--image", action="append", help="of bench/shop.py; default: both")
    given = parser.parse_args()
    with temporary() as folder, ExitStack() as stack:
        shop = Shop(Path(folder), full=False, quick=False, stack=stack)
        for name in given.image or ("tiny", "half-dead"):
            show(name, measure(shop, name, given.rounds))
            shop.drop(name)


if __name__ == "__main__":
    main()
