#!/usr/bin/env python3
"""Measure lamella against the least work there is, in one run, alternating; print ratios.

    make bench                     both images, 5 rounds; needs about 5 GB of disk for a while
    .venv/bin/python bench/run.py --rounds 9 --image half-dead --json results.json

The *floor* is SHA-256 over every layer byte that is read (sources are verified) and over the merged
layer, spread over all cores. Absolute times are this machine's and this minute's; the ratios count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import images
from lamella import __version__
from lamella.layer.blob import FileRange
from lamella.layer.spool import Spool, digest_of
from lamella.merge.changeset import read_changeset
from lamella.merge.overlay import Tree
from lamella.merge.plan import make_plan
from lamella.transport.docker_archive import read_image
from lamella.transport.tarball import open_archive

# What is made, and what is squashed of it.
IMAGES: dict[str, tuple[Callable[[], Iterator[images.Maker]], list[str]]] = {
    "half-dead": (images.half_dead, []),
    "tiny-files": (images.tiny_files, ["--layers", "2-4"]),
}
CHUNK = 1 << 18


def spans(path: Path) -> list[FileRange]:
    """The layers' tars of a docker-archive, where they lie."""
    archive = open_archive(path.open("rb"), str(path), Spool(), seekable=True)
    return [layer.blob for layer in read_image(archive, "", str(path)).layers]  # type: ignore[misc]


def floor(source: Path, result: Path) -> float:
    """Hash all source layers and the merged one, on all cores; return seconds."""
    work = sorted([*spans(source), *spans(result)], key=lambda span: -span.size)
    begin = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(digest_of, work))
    return time.perf_counter() - begin


def squash(source: Path, result: Path, which: Sequence[str]) -> tuple[float, float, int]:
    """Run the command; return wall seconds, CPU seconds and peak memory in kB."""
    lamella = Path(sys.executable).with_name("lamella")
    begin = time.perf_counter()
    command = [str(lamella), "squash", str(source), "-o", f"docker-archive:{result}", "-q", *which]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begin
    if run.returncode:
        raise SystemExit(f"lamella failed: exit {run.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def scan_and_plan(source: Path) -> tuple[int, float, float]:
    """Index and plan all above the first layer; return entries, seconds to scan and to plan."""
    tars = spans(source)
    begin = time.perf_counter()
    changesets = {i: read_changeset(tar, i) for i, tar in enumerate(tars)}
    scanned = time.perf_counter()
    below = Tree()
    below.apply(changesets[0])
    tree = Tree(below)
    for changeset in list(changesets.values())[1:]:
        tree.apply(changeset)
    make_plan(tree, changesets)
    planned = time.perf_counter()
    entries = sum(len(c.entries) + len(c.whiteouts) + len(c.opaques) for c in changesets.values())
    return entries, scanned - begin, planned - scanned


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def measure(name: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Measure one image."""
    source, result = folder / f"{name}.tar", folder / f"{name}-squashed.tar"
    make, which = IMAGES[name]
    facts: dict[str, Any] = dict(images.write_image(source, make()))
    result.unlink(missing_ok=True)
    squash(source, result, which)  # warm the page cache, and make the result for the floor
    walls, floors, cpus, memory, plans, scans = [], [], [], [], [], []
    for _ in range(rounds):
        floors.append(floor(source, result))
        result.unlink()  # or the rename at the end would have to free it
        wall, cpu, peak = squash(source, result, which)
        walls.append(wall)
        cpus.append(cpu)
        memory.append(peak)
        entries, scanned, planned = scan_and_plan(source)
        scans.append(scanned / entries * 1e6)
        plans.append(planned / entries * 1e6)
    facts |= {
        "merged_bytes": sum(span.size for span in spans(result)),
        "wall": walls,
        "floor": floors,
        "ratio": [w / f for w, f in zip(walls, floors, strict=True)],
        "cpu": cpus,
        "peak_rss_kb": max(memory),
        "scan_us_per_entry": scans,
        "plan_us_per_entry": plans,
    }
    result.unlink()
    source.unlink()
    return facts


def report(name: str, facts: dict[str, Any]) -> Iterator[str]:
    """Lines of one image's results."""
    mega = facts["bytes"] / 1e6, facts["merged_bytes"] / 1e6
    size = f"{mega[0]:.0f} → {mega[1]:.0f} MB"
    yield f"{name}: {facts['layers']} layers, {facts['entries']} entries, {size}"
    yield f"  squash, archive to archive   {spread(facts['wall'])} s"
    yield f"  floor, hashing alone         {spread(facts['floor'])} s"
    yield f"  ratio                        {spread(facts['ratio'])}"
    yield f"  CPU                          {spread(facts['cpu'])} s"
    yield f"  peak RSS                     {facts['peak_rss_kb'] / 1000:.0f} MB"
    yield f"  scan, per entry              {spread(facts['scan_us_per_entry'])} µs"
    yield f"  plan, per entry              {spread(facts['plan_us_per_entry'])} µs"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--image", choices=sorted(IMAGES), action="append")
    parser.add_argument("--folder", help="where images are made (default: the temporary folder)")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    arguments = parser.parse_args()
    print(
        f"lamella {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{time.strftime('%Y-%m-%d')}"
    )
    results = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name in arguments.image or sorted(IMAGES):
            results[name] = measure(name, Path(folder), arguments.rounds)
            print("\n".join(report(name, results[name])), flush=True)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
