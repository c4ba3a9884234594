"""A registry of a thousand images, squashed by `lamella batch` while things go wrong.

    python -m bench.batch --images 1000 --engine dask
    python -m bench.batch --images 1000 --shards 4

A real registry on loopback gets images that share bases and families. A front before it answers
some of the requests with 429 or 503. With Dask one of two workers is killed in the middle. With
shards there are so many processes, which have the environment of a Kubernetes Indexed Job and are
started again as `deploy/kubernetes/indexed-job.yaml` says; one of them is killed in the middle.
Then: every image is done once and verified; the journal, the output and the registry agree; the
second run makes at most two requests an image. Prints times as JSON: seconds by the clock, and
processor seconds of lamella's processes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.tars import entry, folder, layer, whiteout
from tests.transport.registry.faulty import Fault, front_of
from tests.transport.registry.images import Client
from tests.transport.registry.server import Server, registry_server

LAMELLA = (sys.executable, "-m", "lamella")
OCI = "application/vnd.oci.image"
OK, CREATED = 200, 201
BASES, BRANCHES = 30, 0.15
AGAIN, STARTS = 5, 4
"""After which exit code a part is started again, and how often it is started: as in `deploy/`."""


@dataclass
class Shop:
    """Images that share layers, put into the storage of a registry."""

    server: Server
    rng: random.Random
    layer_bytes: int
    blobs: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """By the name of a layer: digest, size, diff_id."""

    def fill(self, count: int) -> list[str]:
        """Put so many images; return ``REPOSITORY:TAG`` of each."""
        paths: list[list[str]] = []
        for base in range(BASES):
            depth = self.rng.randint(2, 10)
            paths.append([f"base{base}/{number}" for number in range(depth)])
        for number in range(count - len(paths)):
            stem = self.rng.choice(paths)
            kept = stem[: self.rng.randint(max(1, len(stem) // 2), len(stem))]
            more = self.rng.randint(1, 12)
            paths.append([*kept, *(f"image{number}/{n}" for n in range(more))][:60])
        names = [f"team{number % 20}/app{number % 100}:v{number}" for number in range(count)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._put, names, paths))
        return names

    def _put(self, name: str, path: list[str]) -> None:
        repository, _, tag = name.partition(":")
        layers = [self._layer(one) for one in path]
        history = [{"created_by": f"RUN make {one}"} for one in path]
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["/bin/true"]},
                "rootfs": {"type": "layers", "diff_ids": [diff_id for _, _, diff_id in layers]},
                "history": history,
            }
        ).encode()
        digest = self._blob(config)
        for one in (digest, *(digest for digest, _, _ in layers)):
            self._link(repository, one)
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": {
                "mediaType": f"{OCI}.config.v1+json",
                "digest": digest,
                "size": len(config),
            },
            "layers": [
                {"mediaType": f"{OCI}.layer.v1.tar+gzip", "digest": digest, "size": size}
                for digest, size, _ in layers
            ],
        }
        kind, body = f"{OCI}.manifest.v1+json", json.dumps(manifest).encode()
        path_ = f"/v2/{repository}/manifests/{tag}"
        status, _, said = Client(self.server.host).ask("PUT", path_, body, Content_Type=kind)
        assert status == CREATED, said

    def _layer(self, name: str) -> tuple[str, int, str]:
        if name not in self.blobs:
            rng = random.Random(name)
            size = rng.randint(100, 2 * self.layer_bytes)
            where, number = name.split("/")
            parts = [
                folder("srv"),
                folder(f"srv/{where}"),
                entry(f"srv/{where}/{number}", rng.randbytes(size)),
                entry("srv/changed", name.encode()),
            ]
            if int(number) and rng.random() < BRANCHES:
                parts.append(whiteout(f"srv/{where}/{int(number) - 1}"))
            tar = layer(*parts)
            stored = gzip.compress(tar, 1, mtime=0)
            diff_id = "sha256:" + hashlib.sha256(tar).hexdigest()
            self.blobs[name] = (self._blob(stored), len(stored), diff_id)
        return self.blobs[name]

    def _blob(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        where = self._storage / "blobs/sha256" / digest[:2] / digest
        where.mkdir(parents=True, exist_ok=True)
        (where / "data").write_bytes(data)
        return f"sha256:{digest}"

    def _link(self, repository: str, digest: str) -> None:
        where = self._storage / "repositories" / repository / "_layers/sha256" / digest[7:]
        where.mkdir(parents=True, exist_ok=True)
        (where / "link").write_text(digest)

    @property
    def _storage(self) -> Path:
        return self.server.work / "data/docker/registry/v2"


class Sometimes(Fault):
    """Any request fails, by some chance."""

    def __init__(self, chance: float, rng: random.Random) -> None:
        super().__init__("")
        self.chance, self.rng = chance, rng

    def matches(self, request: str) -> bool:
        """Whether it is its turn."""
        del request
        with self.lock:
            self.status = self.rng.choice((429, 503))
            failed = self.rng.random() < self.chance
            self.met += failed
            return failed


def batch(host: str, work: Path, *more: str, env: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - a process
    """Start a batch over all of a registry."""
    command = (
        *(*LAMELLA, "batch", f"docker://{host}/**:v*", "--from", "2"),
        *("--to", "docker://{host}/slim/{repository}:{tag}", "--verify", "--json", "-q"),
        *("--journal", str(work / "journal"), *more),
    )
    cache = {"XDG_CACHE_HOME": str(work / "cache")}
    variables = {**os.environ, **cache, **(env or {})}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=variables)


def outcomes(process: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a process
    """Yield the lines of a batch; the last may be cut off, if it was killed."""
    for line in process.stdout:
        with suppress(ValueError):
            yield json.loads(line)
    process.wait()


def kill_a_worker(parent: int) -> None:
    """Kill one of Dask's workers, which are children of the batch."""
    found = subprocess.run(
        ["pgrep", "-f", "-P", str(parent), "spawn_main"],
        capture_output=True,
        text=True,
        check=False,
    )
    workers = found.stdout.split()
    assert workers, "no worker to kill"
    os.kill(int(workers[0]), signal.SIGKILL)
    print(f"killed worker {workers[0]} of {len(workers)}", file=sys.stderr)


def run(host: str, work: Path, args: argparse.Namespace, *, disturb: bool) -> list[dict[str, Any]]:
    """Do all images; return what was said of each.

    Args:
        host: of the registry.
        work: folder for the journal and the cache.
        args: how many processes, and of what kind.
        disturb: kill one of the processes in the middle.
    """
    if args.shards:
        with ThreadPoolExecutor(args.shards) as pool:
            parts = pool.map(
                lambda index: part(host, work, args, index, disturb=disturb and not index),
                range(args.shards),
            )
            return [one for lines in parts for one in lines]
    engine = args.engine if disturb else "local"
    process = batch(host, work, "--retries", "6", "--engine", engine, "--jobs", "8")
    said = []
    for number, outcome in enumerate(outcomes(process), 1):
        said.append(outcome)
        if number == args.images // 3 and engine == "dask":
            kill_a_worker(process.pid)
    return said


def part(
    host: str, work: Path, args: argparse.Namespace, index: int, *, disturb: bool
) -> list[dict[str, Any]]:
    """Do one part of the images as a pod of an Indexed Job; return what was said of each.

    A part that ends with exit code 5, or is killed, is started again.
    """
    said: dict[str, dict[str, Any]] = {}
    pod = {"JOB_COMPLETION_INDEX": str(index), "LAMELLA_SHARDS": str(args.shards)}
    for _ in range(STARTS):
        process = batch(host, work, "--shard", "auto", "--jobs", "4", env=pod)
        for outcome in outcomes(process):
            first = said.get(outcome["source"])
            if first is None or first["state"] == "failed":
                said[outcome["source"]] = outcome
            else:
                assert outcome["state"] == "unchanged", ("done twice", first, outcome)
            if disturb and len(said) == args.images // args.shards // 2:
                process.kill()
                print(f"killed part {index}", file=sys.stderr)
                disturb = False
        if process.returncode not in {AGAIN, -signal.SIGKILL}:
            break
        print(f"part {index} is started again after {process.returncode}", file=sys.stderr)
    return list(said.values())


def check(server: Server, said: list[dict[str, Any]], names: list[str], work: Path) -> None:
    """See that every image was done once, and that everybody agrees."""
    states = Counter(one["state"] for one in said)
    failed = [one for one in said if one["state"] == "failed"]
    assert not failed, (states, failed[:3])
    assert len(said) == len({one["source"] for one in said}) == len(names), states
    journal = [json.loads(line) for line in (work / "journal").read_text().splitlines() if line]
    noted = {one["destination"]: one["digest"] for one in journal}
    assert len(noted) == len(names), (len(noted), len(names))
    for outcome in said:
        name = outcome["destination"].partition("//")[2].partition("/")[2]
        repository, _, tag = name.rpartition(":")
        status, headers, _ = Client(server.host).ask(
            "HEAD", f"/v2/{repository}/manifests/{tag}", Accept=f"{OCI}.manifest.v1+json"
        )
        assert status == OK, name
        told = headers["Docker-Content-Digest"]
        assert told == outcome["digest"] == noted[outcome["destination"]], name
    assert all(one["verified"] for one in said if one["state"] == "squashed")


@contextmanager
def timed(times: dict[str, float], name: str) -> Iterator[None]:
    """Note how long something takes, and the processor time of children that end meanwhile."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    yield
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    times[name] = round(time.monotonic() - started, 2)
    times[f"{name}, processor"] = round(used, 2)
    print(f"{name}: {times[name]} s, {used:.2f} processor seconds", file=sys.stderr)


def unchanged(said: list[dict[str, Any]], names: list[str]) -> None:
    """See that all images were found done."""
    states = Counter(one["state"] for one in said)
    assert states == {"unchanged": len(names)}, states


def main() -> None:
    """Fill, squash, check, and squash again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--engine", default="dask", choices=["local", "dask"])
    parser.add_argument("--shards", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.05)
    parser.add_argument("--layer-bytes", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3, help="of the second run")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng, times = random.Random(args.seed), dict[str, float]()
    with tempfile.TemporaryDirectory(prefix="lamella-fleet-") as where, registry_server() as server:
        work = Path(where)
        with timed(times, "fill"):
            shop = Shop(server, rng, args.layer_bytes)
            names = shop.fill(args.images)
        stored = sum(size for _, size, _ in shop.blobs.values())
        print(f"{len(shop.blobs)} layers, {stored / 1e9:.2f} GB stored", file=sys.stderr)
        with front_of(server.host) as front:
            front.faults.append(Sometimes(args.faults, rng))
            with timed(times, "first run"):
                said = run(front.host, work, args, disturb=True)
            times["requests an image, first run"] = len(front.requests) / len(said)
            times["faults"] = front.faults[0].met
            check(server, said, names, work)
            front.reset()
            with timed(times, "second run, counted"):
                unchanged(run(front.host, work, args, disturb=False), names)
            wanted = [r for r in front.requests if "/manifests/" in r]
            times["requests an image"] = len(wanted) / len(names)
            times["requests to list"] = len(front.requests) - len(wanted)
        for number in range(args.rounds):
            with timed(times, f"second run {number + 1}"):
                unchanged(run(server.host, work, args, disturb=False), names)
    engine = None if args.shards else args.engine
    print(json.dumps({"images": args.images, "engine": engine, "shards": args.shards, **times}))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        threading.current_thread().name = "main"
        main()
