"""A registry of a thousand images, squashed by `lamella batch` while things go wrong.

    python -m bench.batch --images 1000 --engine dask
    python -m bench.batch --images 1000 --shards 4

A real registry on loopback gets images that share bases and families. A front before it answers
some of the requests with 429 or 503; with Dask one of two workers is killed in the middle. Then:
every image is done once and verified; the journal, the output and the registry agree; the second
run makes at most two requests an image. Prints times as JSON.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
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
    """Yield the lines of a batch."""
    yield from map(json.loads, process.stdout)
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


def first_run(host: str, work: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Do all images; return what was said of each."""
    retries = ("--retries", "6")
    if args.shards:
        sharded = [
            batch(
                host,
                work,
                *(*retries, "--shard", f"auto/{args.shards}", "--jobs", "4"),
                env={"JOB_COMPLETION_INDEX": str(index)},
            )
            for index in range(args.shards)
        ]
        with ThreadPoolExecutor(args.shards) as pool:
            return [
                one for lines in pool.map(lambda p: list(outcomes(p)), sharded) for one in lines
            ]
    engine = ("--engine", args.engine, "--jobs", "8")
    process = batch(host, work, *retries, *engine)
    said = []
    for number, outcome in enumerate(outcomes(process), 1):
        said.append(outcome)
        if number == args.images // 3 and args.engine == "dask":
            kill_a_worker(process.pid)
    return said


def check(server: Server, said: list[dict[str, Any]], names: list[str], work: Path) -> None:
    """See that every image was done once, and that everybody agrees."""
    states = Counter(one["state"] for one in said)
    failed = [one for one in said if one["state"] == "failed"]
    assert not failed, (states, failed[:3])
    assert len(said) == len({one["source"] for one in said}) == len(names), states
    journal = [json.loads(line) for line in (work / "journal").read_text().splitlines()]
    noted = {one["destination"]: one["digest"] for one in journal}
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
    """Note how long something takes."""
    started = time.monotonic()
    yield
    times[name] = round(time.monotonic() - started, 2)
    print(f"{name}: {times[name]} s", file=sys.stderr)


def main() -> None:
    """Fill, squash, check, and squash again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--engine", default="dask", choices=["local", "dask"])
    parser.add_argument("--shards", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.05)
    parser.add_argument("--layer-bytes", type=int, default=60_000)
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
                said = first_run(front.host, work, args)
            times["requests"] = len(front.requests)
            times["faults"] = front.faults[0].met
            check(server, said, names, work)
            front.reset()
            with timed(times, "second run, counted"):
                again = list(outcomes(batch(front.host, work, "--jobs", "8")))
            wanted = [r for r in front.requests if "/manifests/" in r]
            listing = len(front.requests) - len(wanted)
            assert {one["state"] for one in again} == {"unchanged"}, Counter(
                o["state"] for o in again
            )
            times["requests an image"] = len(wanted) / len(again)
            times["requests to list"] = listing
        with timed(times, "second run"):
            again = list(outcomes(batch(server.host, work, "--jobs", "8")))
        assert {one["state"] for one in again} == {"unchanged"}
    print(
        json.dumps({"images": args.images, "engine": args.engine, "shards": args.shards, **times})
    )


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        threading.current_thread().name = "main"
        main()
