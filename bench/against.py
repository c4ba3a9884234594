#!/usr/bin/env python3
"""Hold this tree against an earlier revision: scan, plan, and a squash from archive to archive.

    .venv/bin/python bench/against.py a81e27b
    .venv/bin/python bench/against.py a81e27b --rounds 20 --seconds 5

Each round runs short pieces of work over and over, in one process with the old code and one with
the new, the order changing. What is told is the quickest time of each piece and the ratio of them:
a piece of some milliseconds has the processor for itself at times even on a machine that others
use, and nothing makes it quicker than it is. Peak memory is of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

# Not beside this file: bench/secrets.py would stand for the module of that name.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import lamella
from bench import images, scan
from lamella.layer.blob import CHUNK

HERE = Path(__file__).resolve().parent
_ENTRIES = 1500
_WARM = 3


def pieces(folder: Path) -> dict[str, Callable[[], object]]:
    """Return what is timed."""
    tars = scan.spans(folder / "tiny.tar")
    changesets = scan.scan_all(tars)
    result = folder / f"result-{os.getpid()}.tar"

    def squash() -> object:
        return lamella.squash(str(folder / "files.tar"), "#1", output=f"docker-archive:{result}")

    return {
        "scan": lambda: scan.scan_all(tars),
        "plan": lambda: scan.plan_top(changesets),
        "archive → archive": squash,
    }


@scan.collector_paused()
def measure(folder: Path, seconds: float) -> dict[str, float]:
    """Return the quickest time of each piece in milliseconds, and the peak memory in MB."""
    best = {}
    for name, piece in pieces(folder).items():
        times: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 2 * _WARM:
            begun = time.perf_counter()
            piece()
            times.append(time.perf_counter() - begun)
        best[name] = 1000 * min(times[_WARM:])
    best["peak memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return best


def make_images(folder: Path) -> None:
    """One of tiny files, and one of which the squash is some milliseconds of copying."""
    images.write_image(folder / "tiny.tar", images.tiny_files(_ENTRIES))
    images.write_image(folder / "files.tar", images.one_layer(40 * CHUNK, 10))


def take_out(revision: str, folder: Path) -> Path:
    """Return a folder with the package of a revision."""
    command = ["git", "archive", "--format", "tar", revision, "src"]
    raw = subprocess.run(command, cwd=HERE.parent, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(raw)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def compare(revision: str, rounds: int, seconds: float) -> None:
    """Print what the two take."""
    with tempfile.TemporaryDirectory(prefix="bench-against-") as name:
        folder = Path(name)
        make_images(folder)
        code = {"old": take_out(revision, folder / "old"), "new": HERE.parent / "src"}
        told: dict[str, list[dict[str, float]]] = {"old": [], "new": []}
        for number in range(rounds):
            for which in sorted(code, reverse=bool(number % 2)):
                told[which].append(_run(code[which], folder, seconds))
    print(f"{'':20} {revision:>10} {'now':>10} {'ratio':>7}   ratios of each round")
    for piece in told["old"][0]:
        old, new = ([one[piece] for one in told[which]] for which in ("old", "new"))
        each = sorted(b / a for a, b in zip(old, new, strict=True))
        print(
            f"{piece:20} {min(old):10.3f} {min(new):10.3f} {min(new) / min(old):7.3f}"
            f"   {each[0]:.3f} … {statistics.median(each):.3f} … {each[-1]:.3f}"
        )


def _run(code: Path, folder: Path, seconds: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", str(folder), "--seconds", str(seconds)]
    env = {**os.environ, "PYTHONPATH": str(code), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, env=env, check=True, capture_output=True)
    found = json.loads(done.stdout)
    assert Path(found.pop("code")).is_relative_to(code), "another lamella was measured"
    return dict(found)


def main() -> None:
    """Compare; or measure here, for who compares."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("revision", nargs="?", default="HEAD", help="what to hold it against")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2, help="for each piece in a round")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        told = {"code": lamella.__file__, **measure(given.measure, given.seconds)}
        print(json.dumps(told))
    else:
        compare(given.revision, given.rounds, given.seconds)


if __name__ == "__main__":
    main()
