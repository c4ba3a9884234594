"""What `lamella batch` and `lamella plan` cost, by how many images there are; prints JSON.

    python -m bench.growth [--counts 100,1000,10000] [--first 1000] [--rounds 3]

A registry in memory, in a process of its own, has images of five tiny layers: two bases of two
layers, and three of each image's own. For each count:

* batch, first run: everything above layer 2 is squashed, nothing is verified; up to `--first`
  images, for more the results are put there as a first run would;
* batch, second run: nothing is to be done; by one process, and by four with a part each;
* plan, first run: all layers are read;
* plan, second run: all layers are remembered.

Of each run: seconds by the clock, processor seconds and peak memory of lamella, without those of
the registry. Medians of several rounds, but for the first runs, which are made once.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import socketserver
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

from bench.measure import Runner, Sample
from lamella.fleet.task import PLAN, SOURCE, Task
from tests.odd.answers import Asked, Oddly, serving
from tests.odd.registry import MemoryRegistry
from tests.support.tars import entry, folder, layer, whiteout
from tests.transport.registry.images import OCI, digest_of

LAMELLA = (sys.executable, "-m", "lamella")
TAGS = 50
"""Of each repository."""
PARTS = 4
IN_PARTS = """
for index in 0 1 2 3; do
  JOB_COMPLETION_INDEX=$index "$@" & parts="$parts $!"
done
for part in $parts; do wait $part; done
"""
"""A script that runs a command for each part at the same time; it fails if one does."""
FROM = "2"
"""Layer above which all is squashed."""


def fill(registry: MemoryRegistry, count: int) -> None:
    """Put so many images."""
    bases = [[_layer(registry, f"base{b}/{n}") for n in range(2)] for b in range(2)]
    for number in range(count):
        own = [_layer(registry, f"image{number}/{n}") for n in range(3)]
        _put(registry, f"team/app{number // TAGS}", f"v{number}", [*bases[number % 2], *own], {})


def _layer(registry: MemoryRegistry, name: str) -> tuple[str, int, str]:
    """Store a layer; return its digest, its size and its diff_id."""
    where, number = name.split("/")
    parts = [folder("srv"), entry(f"srv/{where}-{number}", name.encode() * 20)]
    if number == "2":
        parts.append(whiteout(f"srv/{where}-1"))
    tar = layer(*parts)
    return (*_blob(registry, gzip.compress(tar, 1, mtime=0)), digest_of(tar))


def _blob(registry: MemoryRegistry, data: bytes) -> tuple[str, int]:
    digest = digest_of(data)
    registry.blobs[digest] = data
    return digest, len(data)


def _put(
    registry: MemoryRegistry,
    repository: str,
    tag: str,
    layers: Sequence[tuple[str, int, str]],
    annotations: dict[str, str],
) -> None:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, _, diff_id in layers]},
        "history": [{"created_by": f"RUN make {number}"} for number, _ in enumerate(layers)],
    }
    digest, size = _blob(registry, json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI["manifest"],
        "config": {"mediaType": OCI["config"], "digest": digest, "size": size},
        "layers": [
            {"mediaType": OCI["layer"], "digest": digest, "size": size}
            for digest, size, _ in layers
        ],
        "annotations": annotations,
    }
    registry.put(repository, tag, OCI["manifest"], json.dumps(manifest).encode())


def finish(registry: MemoryRegistry) -> None:
    """Put the results of all images, as far as a second run looks at them."""
    plan = Task("", "", FROM, {"history": "merge"}).plan
    sources = [(*key, raw) for key, (_, raw) in registry.manifests.items() if ":" not in key[1]]
    for repository, tag, raw in sources:
        if not repository.startswith("slim/"):
            marks = {SOURCE: digest_of(raw), PLAN: plan}
            body = json.dumps({**json.loads(raw), "annotations": marks}).encode()
            registry.put(f"slim/{repository}", tag, OCI["manifest"], body)


def serve(pipe: Connection, count: int) -> None:
    """Be a registry of so many images, in a process of its own.

    It is told ``finish`` to put all results, and anything else to end. It answers with its port,
    and then with the requests since it was told something last, by method.
    """
    registry, plainly, asked_for = MemoryRegistry(), Oddly(0), Counter[str]()
    fill(registry, count)

    def reply(asked: Asked) -> bytes:
        asked_for[asked.method] += 1
        return plainly.say(asked, registry.answer(asked))

    with serving(socketserver.TCPServer, reply)(("127.0.0.1", 0)) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        pipe.send(server.server_address[1])
        while (told := pipe.recv()) != "end":
            if told == "finish":
                finish(registry)
            pipe.send(dict(asked_for))
            asked_for.clear()
        server.shutdown()


class Registry:
    """That process, seen from here."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.host = f"127.0.0.1:{pipe.recv()}"

    def tell(self, what: str = "count") -> dict[str, int]:
        """Tell it something; return the requests since then."""
        self._pipe.send(what)
        found: dict[str, int] = self._pipe.recv()
        return found


@contextmanager
def registry_of(count: int) -> Iterator[Registry]:
    """Start a registry of so many images."""
    here, there = Pipe()
    process = get_context("spawn").Process(target=serve, args=(there, count))
    process.start()
    there.close()  # so that we learn it if it ends too early
    try:
        yield Registry(here)
    finally:
        with suppress(BrokenPipeError):
            here.send("end")
        process.join()


def measured(samples: Sequence[Sample], count: int) -> dict[str, float]:
    """Return the medians of some runs, and what they are for an image."""
    wall, cpu = (statistics.median(getattr(s, name) for s in samples) for name in ("wall", "cpu"))
    rss = statistics.median(sample.rss or 0 for sample in samples)
    return {
        "wall": round(wall, 2),
        "cpu": round(cpu, 2),
        "rss MB": round(rss / 1e6, 1),
        "cpu ms an image": round(cpu / count * 1e3, 2),
        "rss kB an image": round(rss / count / 1e3, 1),
    }


def batch(run: Runner, registry: Registry, count: int, *, first: bool, rounds: int) -> Any:  # noqa: ANN401 - JSON
    """Measure the first and the second run of a batch over all images."""
    words = ("batch", f"docker://{registry.host}/team/*:v*", "--from", FROM, "--quiet")
    command = (*LAMELLA, *words, "--to", "docker://{host}/slim/{repository}:{tag}", "--jobs", "4")
    found: dict[str, Any] = {}
    if first:
        found["first run"] = measured([run(command)], count)
        asked = registry.tell()
        found["first run"]["requests an image"] = round(sum(asked.values()) / count, 1)
    else:
        registry.tell("finish")
    found["second run"] = measured([run(command) for _ in range(rounds)], count)
    asked = registry.tell()
    assert asked.keys() <= {"GET", "HEAD"}, asked
    found["second run"]["requests an image"] = round(sum(asked.values()) / rounds / count, 2)
    parts = ("sh", "-ec", IN_PARTS, "sh", *command, "--shard", f"auto/{PARTS}")
    found["second run, four parts"] = measured([run(parts) for _ in range(rounds)], count)
    return found


def plan(run: Runner, registry: Registry, count: int, rounds: int, folder: Path) -> Any:  # noqa: ANN401 - JSON
    """Measure a plan for all images, before and after their layers are known."""
    names = (f"docker://{registry.host}/team/*:v*", "-o", folder / "plan.json", "--quiet")
    command = (*LAMELLA, "plan", *names)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    registry.tell()
    found = {"first run": measured([run(command)], count)}
    first = sum(registry.tell().values())
    found["second run"] = measured([run(command) for _ in range(rounds)], count)
    second = sum(registry.tell().values())
    found["first run"]["requests an image"] = round(first / count, 2)
    found["second run"]["requests an image"] = round(second / rounds / count, 2)
    assert len(json.loads((folder / "plan.json").read_bytes())["images"]) == count
    return found


def main() -> None:
    """Measure for each count, and print what an image costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="100,1000,10000")
    parser.add_argument("--first", type=int, default=1000, help="most images of a first run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["batch", "plan"])
    args = parser.parse_args()
    found: dict[str, Any] = {}
    for count in map(int, args.counts.split(",")):
        with tempfile.TemporaryDirectory(prefix="lamella-growth-") as name:
            folder, one = Path(name), dict[str, Any]()
            (folder / "temp").mkdir()
            run = Runner(folder / "temp", {"XDG_CACHE_HOME": str(folder / "cache")})
            with registry_of(count) as registry:
                if args.only != "batch":
                    one["plan"] = plan(run, registry, count, args.rounds, folder)
                    shutil.rmtree(folder / "cache", ignore_errors=True)
                if args.only != "plan":
                    first = count <= args.first
                    one["batch"] = batch(run, registry, count, first=first, rounds=args.rounds)
        found[str(count)] = one
        print(json.dumps({count: one}), file=sys.stderr)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
