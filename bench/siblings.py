"""What a plan saves for two thousand sibling images, built like those of SWE-bench; prints JSON.

    python -m bench.siblings [--images 2000]

What is public of SWE-bench's images: 2,290 of them stand on one base (Ubuntu, compilers, conda) and
on some 60 environments, which take about 100 GB. All different layers take 684 GiB together, so an
image has 0.28 GB of its own on average. Nearly all of that is one layer: a clone of its repository,
installed. In Django's images it has 330 MB, of which 291 MB are the history. The history is nearly
the same in all siblings, but is packed into another file in each. The steps of base, environments
and images are those of their Dockerfiles.

* ``as built``: clone, file modes and installation are one step, so they are one layer;
* ``in steps``: the same files with an instruction for each step, as many Dockerfiles have it. The
  second layer changes the modes, so it has all files again; the last one removes a cache.

Layers have their full sizes, but no content: only their headers exist, in the cache that a plan
looks into first, so nothing is fetched but manifests and configs. Sizes that are not public are
guessed.

Beside the plan: what is stored if each image is squashed by itself, from one layer on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from lamella.fleet.scan import Scanned, scan_fleet
from lamella.layer.blob import Bytes
from lamella.layer.partial.headers import Parts, TarHeaders
from lamella.layer.partial.listings import ListingCache
from lamella.spec.digest import Digest
from lamella.transport.environment import Environment
from tests.odd.answers import Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.tars import END, Entry, entry, folder, whiteout
from tests.transport.registry.images import OCI, digest_of

KB, MB = 1_000, 1_000_000
ENVIRONMENTS = 60
HISTORY = 0.88
"""Of a clone; the rest is the tree that is checked out."""
REPOSITORIES = {
    "django": 850,
    "sympy": 386,
    "scikit-learn": 229,
    "sphinx": 187,
    "matplotlib": 184,
    "pytest": 119,
    "xarray": 110,
    "astropy": 95,
    "pylint": 57,
    "requests": 44,
    "seaborn": 22,
    "flask": 11,
}
"""How many images each has."""

Step = tuple[str, dict[str, int]]
"""A layer: the command that made it, and its files with their sizes; less than 0: a deletion."""

BASE: list[Step] = [
    ("ADD rootfs.tar /", {"usr/ubuntu": 78 * MB}),
    ("RUN apt install", {"usr/apt": 560 * MB}),
    ("RUN install conda", {"miniconda.sh": 141 * MB, "opt/conda/all": 460 * MB}),
    ("RUN conda init", {"root/.bashrc": 4 * KB}),
    ("RUN conda config", {"root/.condarc": 1 * KB}),
    ("RUN adduser", {"etc/passwd": 1 * KB, "etc/shadow": 1 * KB}),
]


def environment(name: str, rng: Random) -> list[Step]:
    """Return the steps of an environment: 1.6 GB on average."""
    size, script = rng.uniform(0.5, 1.5), {"root/setup_env.sh": 2 * KB}
    packages = {
        f"opt/conda/envs/{name}": int(1100 * MB * size),
        f"opt/conda/pkgs/{name}": int(500 * MB * size),
        "opt/conda/condabin": 10 * KB,
    }
    return [
        ("COPY setup_env.sh", script),
        ("RUN sed", script),
        ("RUN chmod", script),
        (f"RUN setup_env.sh {name}", packages),
        ("RUN activate", {"root/.bashrc": 1 * KB}),
    ]


def as_built(name: str, clone: int) -> list[Step]:
    """Return the steps of an image's own, as they are."""
    script = {f"root/{name}.sh": 2 * KB}
    return [
        ("COPY setup_repo.sh", script),
        ("RUN sed", script),
        ("RUN setup_repo.sh", {**_clone(name, clone), **_installed(name)}),
    ]


def in_steps(name: str, clone: int) -> list[Step]:
    """Return the steps of an image's own, if each has an instruction."""
    cache = "root/.cache"
    return [
        ("RUN git clone", _clone(name, clone)),
        ("RUN chmod -R 777 .", _clone(name, clone)),
        ("RUN git reset --hard", {f"testbed/tree/{name}": int(clone * (1 - HISTORY) / 3)}),
        ("RUN pip install", {**_installed(name), cache: 30 * MB}),
        ("RUN rm -r /root/.cache", {cache: -1}),
    ]


def _clone(name: str, size: int) -> dict[str, int]:
    tree = size - int(size * HISTORY)
    return {
        f"testbed/.git/{name}": size - tree,
        f"testbed/tree/{name}": tree // 3,
        f"testbed/tests/{name}": tree - tree // 3,
    }


def _installed(name: str) -> dict[str, int]:
    return {f"opt/conda/envs/{name}.egg-link": 1 * KB, "opt/conda/condabin": 10 * KB}


@dataclass
class Shelf:
    """A registry of manifests and configs, and a cache with the headers of all layers."""

    registry: MemoryRegistry
    cache: ListingCache
    known: dict[Digest, int] = field(default_factory=dict)

    def put(self, name: str, steps: Sequence[tuple[str, Step]]) -> str:
        """Put an image; each step has the name of all who share it. Return its reference."""
        layers = [self._layer(owner, step) for owner, step in steps]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": layers},
            "history": [{"created_by": command} for _, (command, _) in steps],
        }
        raw = json.dumps(config).encode()
        self.registry.blobs[digest_of(raw)] = raw
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI["manifest"],
            "config": {"mediaType": OCI["config"], "digest": digest_of(raw), "size": len(raw)},
            "layers": [
                {"mediaType": OCI["layer"], "digest": one, "size": self.known[one]}
                for one in layers
            ],
        }
        self.registry.put(name, "latest", OCI["manifest"], json.dumps(manifest).encode())
        return f"docker://{self.registry.host}/{name}:latest"

    def _layer(self, owner: str, step: Step) -> Digest:
        diff_id = Digest.of(f"{owner} {step}".encode())
        if diff_id not in self.known:
            headers = hollow(step[1])
            self.known[diff_id] = headers.size
            self.cache.save(diff_id, headers)
        return diff_id


def hollow(files: dict[str, int]) -> TarHeaders:
    """Return a tar of such files, of which there are only the headers."""
    kept, starts, at = list[bytes](), array("q"), 0
    for part, size in _entries(files):
        kept.append(part.headers(size))
        starts.append(at)
        at += len(kept[-1]) + -(-size // 512) * 512
    starts.append(at)
    kept.append(END)
    ends = array("q", accumulate(map(len, kept)))
    return TarHeaders(at + len(END), "", Parts(Bytes(b"".join(kept)), starts, ends))


def _entries(files: dict[str, int]) -> Iterator[tuple[Entry, int]]:
    folders = dict.fromkeys(
        parent for path in files for parent in accumulate(path.split("/")[:-1], "{}/{}".format)
    )
    for name in folders:
        yield folder(name), 0
    for path, size in files.items():
        yield (entry(path), size) if size >= 0 else (whiteout(path), 0)


def fill(shelf: Shelf, count: int, own: Callable[[str, int], list[Step]]) -> list[str]:
    """Put so many images; return their references."""
    rng, total, references = Random(0), sum(REPOSITORIES.values()), list[str]()
    for repository, images in REPOSITORIES.items():
        size = 330 * MB if repository == "django" else rng.uniform(120, 370) * MB
        kinds = max(1, round(ENVIRONMENTS * images / total))
        names = [f"{repository}-{number}" for number in range(kinds)]
        bases = [
            [*(("", step) for step in BASE), *((name, step) for step in environment(name, rng))]
            for name in names
        ]
        for number in range(max(1, round(count * images / total))):
            name = f"{repository}/{number}"
            steps = own(name, int(size * rng.uniform(0.9, 1.1)))
            steps_of_all = [*rng.choice(bases), *((name, step) for step in steps)]
            references.append(shelf.put(f"eval/{name}", steps_of_all))
    return references


def stored_if(scanned: Scanned, from_layer: int) -> int:
    """Return what is stored if each image has one layer in the place of all from one on."""
    catalogue = scanned.catalogue
    stored: dict[object, int] = {}
    for end in catalogue.ends:
        for number in catalogue.path(end)[: from_layer - 1]:
            node = catalogue.nodes[number]
            stored[node.diff_id] = node.size
        stored[end] = scanned.rows[end][from_layer - 1]
    return sum(stored.values())


def measure(count: int, own: Callable[[str, int], list[Step]], where: Path) -> dict[str, Any]:
    """Return what a plan saves, and what it takes."""
    cache = where / "lamella" / "listings"
    with registry_in_memory(Oddly(0)) as registry:
        references = fill(Shelf(registry, ListingCache(cache)), count, own)
        names, document = where / "names", where / "plan.json"
        names.write_text("\n".join(references))
        command = ("plan", "--list", str(names), "--min-saved", "1MB", "-o", str(document))
        begun = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "lamella", *command, "--quiet"],
            env={**os.environ, "XDG_CACHE_HOME": str(where)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.monotonic() - begun
        with Environment.from_env({"XDG_CACHE_HOME": str(where)}) as env:
            scanned = scan_fleet(references, None, env)
    plan = json.loads(document.read_text())
    before, after = plan["stored"]["before"], plan["stored"]["after"]
    base, shared = len(BASE), len(BASE) + len(environment("", Random(0)))
    alone = {
        "from layer 1": stored_if(scanned, 1),
        "above the base": stored_if(scanned, base + 1),
        "above the environment": stored_if(scanned, shared + 1),
    }
    return {
        "images": len(references),
        "GB before": round(before / 1e9, 2),
        "GB by the plan": round(after / 1e9, 2),
        "factor": round(before / after, 3),
        "may be better by GB": round(plan["gap"] / 1e9, 3),
        "images that change": sum(bool(one["squash"]) for one in plan["images"]),
        "GB if each is squashed by itself": {k: round(v / 1e9, 1) for k, v in alone.items()},
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Measure both ways to build them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    args = parser.parse_args()
    found = {}
    for name, own in {"as built": as_built, "in steps": in_steps}.items():
        with tempfile.TemporaryDirectory(prefix="lamella-siblings-") as folder_:
            found[name] = measure(args.images, own, Path(folder_))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
