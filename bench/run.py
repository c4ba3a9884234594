#!/usr/bin/env python3
"""Measure lamella beside its peers and the least work there is, in one run, in turn.

    make bench                        all cases, a few minutes; as root for those within engines
    make bench-quick                  the cases that need no engine, on small images, in a minute
    .venv/bin/python bench/run.py --full --write-docs       slow peers three times, on large images
    .venv/bin/python bench/run.py --section archive --rounds 9
    .venv/bin/python bench/run.py --from bench/results/latest.json --write-docs

Times belong to one machine in one minute; the ratios count. bench/measure.py says what is counted.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import lamella
from bench import archives, engines, registries, report, splicing
from bench.case import Case, say
from bench.measure import FAILURES, reason_of, versions
from bench.shop import Shop, temporary
from tests.engines.daemon import EngineUnavailableError, find_chroot

SECTIONS: dict[str, Callable[[Shop], Iterator[Case]]] = {
    "start": archives.start,
    "archive": archives.large_archive,
    "entries": archives.many_entries,
    "compression": archives.compressed,
    "splicing": splicing.splicing,
    "archive-peers": archives.peers_of_archives,
    "docker": engines.in_docker,
    "podman": engines.in_podman,
    "registry": registries.in_a_registry,
    "registry-peers": registries.peers_of_registries,
    "registry-splicing": splicing.between_registries,
}
QUICK = ("start", "archive", "entries", "compression", "splicing")
RESULTS = Path(__file__).with_name("results") / "latest.json"


def programs() -> dict[str, Sequence[str | Path]]:
    """List how programs tell their version; Debian's crane doesn't know its own."""
    found: dict[str, Sequence[str | Path]] = {
        name: [name, "--version"]
        for name in ("dockerd", "podman", "buildah", "skopeo", "umoci", "docker-registry")
    }
    with contextlib.suppress(EngineUnavailableError):
        asked = ("dpkg-query", "--show", "--showformat", "${Version}", "crane")
        found["crane"] = ["chroot", find_chroot(), *asked]
    return found


def new_results(arguments: argparse.Namespace) -> dict[str, Any]:
    """Say what will be measured, when and where."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {
            "lamella": lamella.__version__,
            "Python": platform.python_version(),
            **versions(programs()),
        },
        "rounds": arguments.rounds or (2 if arguments.quick else 5),
        "slow_rounds": 3 if arguments.full else 1,
        "full": arguments.full,
        "seconds": 0,
        "cases": {},
        "missing": {},
    }


def measure(arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    """Measure what is asked for, and add it to the results, case by case."""
    begin = time.monotonic()
    compileall.compile_dir(Path(lamella.__file__).parent, quiet=1)  # as an installed package is
    names = arguments.section or (QUICK if arguments.quick else list(SECTIONS))
    with temporary() as folder, contextlib.ExitStack() as stack:
        shop = Shop(Path(folder), arguments.full, arguments.quick, stack)
        for name in names:
            try:
                for case in SECTIONS[name](shop):
                    case.measure(results["rounds"], results["slow_rounds"])
                    results["cases"][case.name] = case.to_json()
                    results["seconds"] = round(time.monotonic() - begin)
            except FAILURES as error:
                results["missing"][name] = reason_of(error)
                say(f"{name}: {reason_of(error)}")


def machine() -> str:
    """Describe the machine in a few words that don't say which one it is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB of memory"


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="small images, no engines, 2 rounds")
    parser.add_argument("--full", action="store_true", help="slow peers 3 times, on large images")
    parser.add_argument("--rounds", type=int, help="default: 5; with --quick 2")
    parser.add_argument("--section", choices=list(SECTIONS), action="append")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where figures go, as JSON")
    parser.add_argument("--from", dest="source", type=Path, help="take figures measured before")
    parser.add_argument("--write-docs", action="store_true", help="write them into docs/")
    arguments = parser.parse_args()
    if arguments.source:
        results = json.loads(arguments.source.read_text())
    else:
        results = new_results(arguments)
        arguments.results.parent.mkdir(parents=True, exist_ok=True)
        try:
            measure(arguments, results)
        finally:  # what was measured until then is not lost
            arguments.results.write_text(json.dumps(results, indent=1) + "\n")
    print(report.page(results))
    if arguments.write_docs:
        report.write_docs(results)


if __name__ == "__main__":
    main()
