#!/usr/bin/env python3
"""What the look for secrets costs: an analysis with it beside one without; prints JSON.

    .venv/bin/python bench/secrets.py                    200 MB of small text files
    .venv/bin/python bench/secrets.py --size 1000 --rounds 9

The files are the texts of Python's own library and those of the machine's manuals, each with a line
of its own, in two layers as they are, and in one that is compressed. Both ways run in turn, each in
a process of its own; the median of the rounds is told, of seconds by the clock and of processor
seconds, and the median of the ratios of the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.images import LayerWriter, Maker, write_image
from lamella.tar.entry import REGULAR, Header

MB = 1_000_000
_SMALLEST, _LARGEST = 200, 64_000
_LAMELLA = (sys.executable, "-m", "lamella")
_WAYS = {"without": ("--no-secrets-scan",), "with": ()}


class _Took(NamedTuple):
    seconds: float
    processor: float


def texts() -> list[bytes]:
    """Return small texts as they are in images."""
    folders = [Path(sysconfig.get_path("stdlib")), Path("/usr/share/doc"), Path("/usr/share/perl")]
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            content = path.read_bytes()
            if _SMALLEST < len(content) < _LARGEST and b"\0" not in content:
                found.append(content)
    return found


def makers(size: int) -> Iterator[Maker]:
    """Yield what writes each layer."""
    every, numbers = cycle(texts()), iter(range(sys.maxsize))
    for layer in range(2):

        def make(writer: LayerWriter, layer: int = layer) -> None:
            while writer.size < size // 2:
                number = next(numbers)
                content = b"# %d\n" % number + next(every)
                path = f"srv/part{layer}/d{number // 100:05}/f{number}.txt"
                writer.parents(path)
                writer.add(Header(path.encode(), REGULAR, size=len(content)), content)

        yield make


def took(image: Path, options: tuple[str, ...]) -> _Took:
    """Analyze once."""
    before, begin = os.times(), time.monotonic()
    subprocess.run(
        [*_LAMELLA, "analyze", str(image), "--json", *options],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return _Took(time.monotonic() - begin, used)


def measure(image: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Analyze both ways in turn; a round before warms up."""
    found: dict[str, list[_Took]] = {way: [] for way in _WAYS}
    for number in range(rounds + 1):
        for way, options in _WAYS.items():
            sample = took(image, options)
            if number:
                found[way].append(sample)
    told = {
        way: {
            "seconds": round(statistics.median(one.seconds for one in samples), 2),
            "processor": round(statistics.median(one.processor for one in samples), 2),
        }
        for way, samples in found.items()
    }
    pairs = list(zip(found["with"], found["without"], strict=True))
    told["ratio"] = {
        "seconds": round(statistics.median(a.seconds / b.seconds for a, b in pairs), 2),
        "processor": round(statistics.median(a.processor / b.processor for a, b in pairs), 2),
    }
    return told


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=200, help="megabytes of files")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder, "plain.tar"), Path(folder, "packed.tar")
        facts = write_image(plain, makers(given.size * MB))
        pack = ("squash", str(plain), "--layers", "1-2", "--compression", "gzip:1", "-q")
        subprocess.run([*_LAMELLA, *pack, "-o", f"oci-archive:{packed}"], check=True)
        print(
            json.dumps(
                {
                    **facts,
                    "plain": measure(plain, given.rounds),
                    "gzip": measure(packed, given.rounds),
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
