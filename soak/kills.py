"""`lamella batch`, killed again and again: every image is made right, and once.

A round squashes the images of a registry in memory. The process is killed with SIGKILL at a random
moment and started again, until a run comes to its end. Then every result must be there and be the
one that an undisturbed run makes, to the byte; none was sent twice; the journal has a line for each
and tells of none twice; no file is left.
"""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path

import lamella
from soak.forked import Start, started, wait
from soak.harness import Harness, Round
from tests.cli.running import environment
from tests.odd.answers import Answer, Asked, Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.machine import patience
from tests.support.tars import layer, whiteout
from tests.transport.forms import layout_of

__all__ = ["HARNESS"]

_IMAGES = 24
_KILLS = 12
"""In one round at most; the last run is left alone."""
_REQUESTS = 160
"""A process is killed after at most so many requests: an undisturbed run makes twice as many."""
_AFTER = 0.02
"""And at most so many seconds."""
_END = 120.0
_DONE = frozenset({"squashed", "copied"})


class _Sent(Oddly):
    """Answers as asked; counts the manifests that are put under a tag."""

    def __init__(self) -> None:
        super().__init__(0)
        self._lock = threading.Lock()
        self.heard = 0
        """Requests so far."""
        self.tags: Counter[str] = Counter()

    def say(self, asked: Asked, answer: Answer) -> bytes:
        """Count, and answer."""
        with self._lock:
            self.heard += 1
            if asked.method == "PUT" and "/manifests/" in asked.path:
                self.tags[asked.path.removeprefix("/v2/").replace("/manifests/", ":")] += 1
        return super().say(asked, answer)


def _fill(registry: MemoryRegistry, rng: random.Random) -> None:
    """Put images of one base, and the base."""
    base = (layer(("os", rng.randbytes(40_000))), layer(("lib", rng.randbytes(20_000))))
    _put(registry, "base/os", base)
    for number in range(_IMAGES):
        own = (layer(("big", rng.randbytes(60_000))), layer(whiteout("big"), ("a", b"%d" % number)))
        _put(registry, f"fleet/app{number}", (*base, *own[: 1 + number % 4]))


def _put(registry: MemoryRegistry, repository: str, tars: tuple[bytes, ...]) -> None:
    made = layout_of(tars)
    [entry] = made.entries
    for name, content in made.files.items():
        registry.blobs[f"sha256:{name.rpartition('/')[2]}"] = content
    raw = registry.blobs[entry["digest"]]
    registry.put(repository, "1", entry["mediaType"], raw)


def _quiet() -> None:
    """Wait until the registry has heard all that the killed process had said."""
    end = time.monotonic() + patience(20)
    while any("process_request" in one.name for one in threading.enumerate()):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.002)


@dataclass
class _Killing:
    """One round."""

    host: str
    sent: _Sent
    work: Path
    rng: random.Random
    kills: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        """Of all runs."""
        return self.work / "journal"

    def run(self) -> None:
        """Kill and start again, until it is done."""
        while self._killed():
            self.kills += 1

    def _killed(self) -> bool:
        """Start it; return whether it was killed before its end."""
        tmp, errors = self.work / "tmp", self.work / "errors"
        process = started(Start(self._words(), self._variables(tmp), errors))
        last = self.kills == _KILLS
        if last:
            code = wait(process, patience(_END))
        else:
            self._until_heard(process, self.sent.heard + self.rng.randrange(_REQUESTS))
            code = wait(process, self.rng.uniform(0, _AFTER))
        if code is None:
            process.kill()
            process.join()
            _quiet()
            if last:
                self.findings.append("it does not end")
            return not last
        if code:
            self.findings.append(f"exit code {code}: {errors.read_text()[-500:]}")
        if left := sorted(path.name for path in tmp.iterdir()):
            self.findings.append(f"left behind: {left}")
        return False

    def _until_heard(self, process: ForkProcess, requests: int) -> None:
        """Wait until the registry has heard so many requests, or the process has ended."""
        end = time.monotonic() + patience(_END)
        while self.sent.heard < requests and process.exitcode is None and time.monotonic() < end:
            time.sleep(0.001)

    def _words(self) -> list[str]:
        to = f"docker://{self.host}/slim/{{name}}:{{tag}}"
        base = f"docker://{self.host}/base/os:1"
        words = ["batch", f"docker://{self.host}/fleet/*", "--to", to, "--from", base]
        return [*words, "--jobs", "3", "--journal", str(self.journal), "--retries", "0"]

    def _variables(self, tmp: Path) -> dict[str, str]:
        home = str(self.work / "home")
        return environment(tmp, {"HOME": home, "XDG_CACHE_HOME": home})

    def check(self, registry: MemoryRegistry) -> None:
        """Look at all that was made."""
        sent = Counter(dict(self.sent.tags))
        names = [f"app{number}:1" for number in range(_IMAGES)]
        wanted = {f"slim/{name}": 1 for name in names}
        if sent != wanted:
            self.findings.append(f"not sent once each: {dict((sent - Counter(wanted)) or sent)}")
        self._check_journal()
        to = "docker://{host}/undisturbed/{name}:{tag}"
        base = f"docker://{self.host}/base/os:1"
        fleet = f"docker://{self.host}/fleet/*"
        for outcome in lamella.batch(fleet, to, base, check=True, env=lamella.Environment()):
            if outcome.exit_code:
                self.findings.append(f"{outcome.source}: {outcome.message}")
        for name in (name.removesuffix(":1") for name in names):
            made = registry.manifests.get((f"slim/{name}", "1"))
            if made is None or made != registry.manifests.get((f"undisturbed/{name}", "1")):
                self.findings.append(f"slim/{name} is not what an undisturbed run makes")
                continue
            value = json.loads(made[1])
            for part in (value["config"], *value["layers"]):
                blob = registry.blobs.get(part["digest"], b"")
                if str(lamella.Digest.of(blob)) != part["digest"]:
                    self.findings.append(f"slim/{name}: {part['digest']} is missing or damaged")

    def _check_journal(self) -> None:
        told: Counter[str] = Counter()
        seen: set[str] = set()
        for line in self.journal.read_bytes().splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue  # cut off by a kill
            seen.add(value["source"])
            told[value["source"]] += value["state"] in _DONE
            if value["state"] not in {*_DONE, "unchanged"}:
                self.findings.append(f"{value['source']}: {value['state']}: {value['message']}")
        if len(seen) < _IMAGES:
            self.findings.append(f"the journal tells of {len(seen)} images")
        if twice := [source for source, count in told.items() if count > 1]:
            self.findings.append(f"made twice, as the journal tells: {twice}")


def _run(seed: int, kept: Path) -> Round:
    rng = random.Random(seed)
    sent = _Sent()
    with (
        tempfile.TemporaryDirectory(prefix="soak-kills-") as folder,
        registry_in_memory(sent) as registry,
    ):
        work = Path(folder)
        (work / "tmp").mkdir()
        _fill(registry, rng)
        killing = _Killing(registry.host, sent, work, rng)
        killing.run()
        killing.check(registry)
        if not killing.findings:
            return Round(killing.kills, [], [])
        (kept / "journal").write_bytes(killing.journal.read_bytes())
        return Round(killing.kills, killing.findings, [kept / "journal"])


HARNESS = Harness("kills", "kills", _run, processes=2)
