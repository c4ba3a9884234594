"""Run the soak: rounds of every harness in turn until the time is over, and tell what was found.

    .venv/bin/python -m soak.run --seconds 600 --only headers,images --seed 1 --jobs 2

A round is a process of its own: one that crashes or hangs is a finding like any other.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from soak.harness import Harness
from tests.support.heeding import heed_signals
from tests.support.machine import slowness

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent / "soak-findings"
_NO_HARNESS = {"__init__", "harness", "run"}
_RESULT, _OUTPUT, _NOTE = "round.json", "output.txt", "finding.txt"
_TAIL = 2000


def load(folder: Path) -> dict[str, Harness]:
    """Return the harnesses that the modules of a folder define, by name."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        if path.stem in _NO_HARNESS or "HARNESS" not in path.read_text(encoding="utf-8"):
            continue
        spec = importlib.util.spec_from_file_location(f"soak.{path.stem}", path)
        assert spec, path
        assert spec.loader, path
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look for it there
        spec.loader.exec_module(module)
        harness = getattr(module, "HARNESS", None)
        if isinstance(harness, Harness):
            found[harness.name] = harness
    return found


@dataclass
class Figures:
    """What the rounds of one harness came to."""

    harness: Harness
    seed: int
    """Of the next round."""
    rounds: int = 0
    count: int = 0
    findings: int = 0
    seconds: float = 0


@dataclass
class Running:
    """A round under way."""

    figures: Figures
    seed: int
    folder: Path
    process: subprocess.Popen[bytes]
    processor: int
    begun: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.begun


@dataclass(frozen=True)
class Soak:
    """What is run, and for how long."""

    source: Path
    """Folder of the harness modules."""
    kept: Path
    """Takes what shows a finding."""
    seconds: float
    """No round is begun later than this, but each harness has one."""
    rounds: int | None
    """For each harness, whatever the time; None: until the time is over."""
    limit: float
    """Seconds for one round; one that takes longer hangs."""
    jobs: int
    """Rounds at the same time."""

    def run(self, harnesses: Mapping[str, Harness], seed: int) -> list[Figures]:
        """Run rounds until the time is over; each begins for the harness that had least of it."""
        end = time.monotonic() + self.seconds
        all_figures = [Figures(harness, seed) for harness in harnesses.values()]
        running: list[Running] = []
        try:
            while True:
                ready = self._ready(all_figures, running, end)
                if ready and len(running) < self.jobs:
                    figures = min(ready, key=lambda f: _time(f, running))
                    running.append(self._start(figures, _processor(running)))
                elif running:
                    self._wait(running)
                else:
                    break
        except KeyboardInterrupt:  # what was found so far is still worth knowing
            print(f"interrupted; {len(running)} rounds were not done", flush=True)
        finally:
            for one in running:
                _kill(one.process)
        return all_figures

    def _ready(
        self, all_figures: Sequence[Figures], running: Sequence[Running], end: float
    ) -> list[Figures]:
        def more(figures: Figures, own: int) -> bool:
            done = figures.rounds + own
            if self.rounds is not None:
                return done < self.rounds
            return not done or time.monotonic() < end

        owns = {id(f): sum(one.figures is f for one in running) for f in all_figures}
        return [
            figures
            for figures in all_figures
            if (own := owns[id(figures)]) < figures.harness.processes and more(figures, own)
        ]

    def _start(self, figures: Figures, processor: int) -> Running:
        name, seed = figures.harness.name, figures.seed
        figures.seed += 1
        folder = self.kept / f"{name}-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with (folder / _OUTPUT).open("wb") as output:
            process = subprocess.Popen(
                self.command("--round", name, str(seed), str(folder)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=HERE.parent,
                start_new_session=True,  # so that all it starts can be ended with it
            )
        if sys.platform == "linux":
            os.sched_setaffinity(process.pid, {processor})
        return Running(figures, seed, folder, process, processor)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of this module, for the same harnesses."""
        source = [] if self.source == HERE else ["--from", str(self.source)]
        return [sys.executable, "-m", "soak.run", *source, *arguments]

    def _wait(self, running: list[Running]) -> None:
        """Wait until a round ends or takes too long; count it."""
        while True:
            for one in running:
                hangs = one.seconds > self.limit
                if hangs or one.process.poll() is not None:
                    running.remove(one)
                    _kill(one.process)
                    self._count(one, hangs=hangs)
                    return
            time.sleep(0.05)

    def _count(self, one: Running, *, hangs: bool) -> None:
        figures = one.figures
        count, findings = _result(one, f"not done after {self.limit:g} s" if hangs else "")
        figures.rounds += 1
        figures.seconds += one.seconds
        figures.count += count
        figures.findings += len(findings)
        if not findings:
            shutil.rmtree(one.folder)
            return
        name = figures.harness.name
        again = f"make soak ONLY={name} SEED={one.seed} ROUNDS=1"
        note = "".join(f"{finding}\n" for finding in findings)
        (one.folder / _NOTE).write_text(f"{note}\nagain: {again}\n", encoding="utf-8")
        for finding in findings:
            print(f"{name}, seed {one.seed}: {finding}", flush=True)
        print(f"  kept in {one.folder}; again: {again}", flush=True)


def _processor(running: Sequence[Running]) -> int:
    """Choose the processor that has the fewest rounds; a round stays on one.

    Its threads mostly wait for each other. To wake one on another processor takes longer than what
    it then does, many times as long on a busy virtual machine.
    """
    if sys.platform != "linux":
        return 0
    processors = sorted(os.sched_getaffinity(0))
    return min(processors, key=lambda one: sum(each.processor == one for each in running))


def _time(figures: Figures, running: Sequence[Running]) -> float:
    return figures.seconds + sum(one.seconds for one in running if one.figures is figures)


def _result(one: Running, fault: str) -> tuple[int, list[str]]:
    """Return how much a round checked and what it found, also if it could not say so itself."""
    path = one.folder / _RESULT
    code = one.process.returncode
    if not fault and path.exists() and not code:
        told = json.loads(path.read_bytes())
        path.unlink()
        return told["count"], told["findings"]
    said = (one.folder / _OUTPUT).read_text(encoding="utf-8", errors="replace")[-_TAIL:]
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    return 0, [f"{fault or f'the round itself ended with {code}'}: {last}"]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a round and all that it left running."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run_round(harness: Harness, seed: int, folder: Path) -> None:
    """Do one round here, and write down what it found."""
    done = harness.run(seed, folder)
    told = {"count": done.count, "findings": done.findings}
    (folder / _RESULT).write_text(json.dumps(told), encoding="utf-8")


def table(all_figures: Sequence[Figures]) -> str:
    """Return the figures as text."""
    rows = [("harness", "rounds", "checked", "findings", "seconds")]
    rows += [
        (
            f.harness.name,
            str(f.rounds),
            f"{f.count:,} {f.harness.unit}",
            str(f.findings),
            f"{f.seconds:.0f}",
        )
        for f in all_figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak.run", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=600, help="begin no round later than this")
    add("--rounds", type=int, help="do so many rounds of each harness instead")
    add("--only", default="", help="names of harnesses, with commas between them")
    add("--seed", type=int, default=int(time.time()), help="of the first round of each")
    add("--jobs", type=int, default=2, help="rounds at the same time")
    add("--limit", type=float, default=600, help="seconds after which a round hangs")
    add("--kept", type=Path, default=KEPT, help="folder for inputs that show a finding")
    add("--from", dest="source", type=Path, default=HERE, help="folder of harness modules")
    add("--round", nargs=3, metavar=("NAME", "SEED", "FOLDER"), help="do one round here")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Return 1 if anything was found, 2 if a name is of no harness."""
    heed_signals()
    given = _arguments(argv)
    harnesses = load(given.source)
    slowness()  # measured once for all rounds
    if given.round:
        name, seed, folder = given.round
        run_round(harnesses[name], int(seed), Path(folder))
        return 0
    only = [name for name in given.only.split(",") if name]
    if unknown := sorted(set(only) - set(harnesses)):
        print(f"no harness {unknown[0]!r}; there are {', '.join(harnesses)}", file=sys.stderr)
        return 2
    chosen = {name: harnesses[name] for name in only or harnesses}
    print(f"seed {given.seed}: {', '.join(chosen)}", flush=True)
    kept = given.kept.resolve()
    soak = Soak(given.source.resolve(), kept, given.seconds, given.rounds, given.limit, given.jobs)
    all_figures = soak.run(chosen, given.seed)
    print(table(all_figures))
    return int(any(figures.findings for figures in all_figures))


if __name__ == "__main__":
    sys.exit(main())
