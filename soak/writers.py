"""Several writers of one layout, some of them killed: what was reported as done is there.

A round lets six processes write images of their own into the same new layout, over and over; they
share layers. Half of them are killed at a random moment, and one more meets a damaged image and
fails.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import signal
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import lamella
from lamella.spec.digest import Digest
from soak.forked import imported
from soak.harness import Harness, Round
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.tars import layer
from tests.transport.forms import layout_of

__all__ = ["HARNESS"]

_WRITERS = 6
_IMAGES = 4
"""That each writer writes."""
_REF_NAME = "org.opencontainers.image.ref.name"


def _write(number: int, folder: Path, layout: Path, told: Path, start: Connection) -> None:
    """Be one of the writers: tell each tag that is done, and each failure."""
    start.recv()
    with told.open("a", buffering=1) as file:
        for n in range(_IMAGES):
            tag = f"{number}-{n}"
            try:
                image = f"docker-archive:{folder}/{n}-{number % 2}.tar"
                lamella.squash(image, "#1", output=f"oci:{layout}:{tag}")
                print(tag, file=file)
                lamella.squash(f"oci:{folder}/damaged", "#1", output=f"oci:{layout}:damaged")
            except lamella.LamellaError as error:
                print(f"! {error}", file=file)


def _make_images(folder: Path) -> None:
    """Images that share their base, and one that can't be squashed to its end."""
    base = layer(("base", b"b" * 30_000))
    for number in range(_IMAGES):
        for kind in range(2):
            tars = (base, layer(("a", b"%d" % number * 9_000)), layer(("b", b"%d" % kind)))
            (folder / f"{number}-{kind}.tar").write_bytes(docker_archive(*tars))
    made = layout_of((base, layer(("a", b"0")), layer(("b", b"1"))), compression="none")
    manifest = json.loads(made.files[_blob(made.entries[0])])
    made.files[_blob(manifest["layers"][2])] = b"damaged"
    made.write(folder / "damaged")


def _blob(descriptor: dict[str, str]) -> str:
    return "blobs/" + descriptor["digest"].replace(":", "/")


def _write_all(rng: random.Random, folder: Path, layout: Path) -> tuple[list[str], list[str]]:
    """Return the tags that were reported as done, and complaints that nobody should have."""
    imported()
    fork = multiprocessing.get_context("fork")
    told = [folder / f"told-{number}" for number in range(_WRITERS)]
    gates = [fork.Pipe(duplex=False) for _ in told]
    writers = [
        fork.Process(target=_write, args=(number, folder, layout, told[number], gates[number][0]))
        for number in range(_WRITERS)
    ]
    for writer in writers:
        writer.start()
    for _, gate in gates:
        gate.send(None)
    for writer in rng.sample(writers, _WRITERS // 2):
        writer.join(patience(rng.random() * 0.4))
        writer.kill()
    for writer in writers:
        writer.join()
    said = [line for path in told if path.exists() for line in path.read_text().splitlines()]
    wrong = [line for line in said if line.startswith("!") and "digest mismatch" not in line]
    codes = {writer.exitcode for writer in writers} - {0, -signal.SIGKILL}
    wrong += [f"a writer ended with {code}" for code in codes]
    return [line for line in said if not line.startswith("!")], wrong


def _check(layout: Path, done: list[str]) -> list[str]:
    """Look at all that is named by the index, and for all that was reported."""
    if not (layout / "index.json").exists():
        return [f"no index, but {done}"] if done else []
    index = json.loads((layout / "index.json").read_bytes())
    findings: list[str] = []
    tags: set[str] = set()
    for entry in index["manifests"]:
        tags.add(entry["annotations"][_REF_NAME])
        manifest = json.loads(_read(layout, entry, findings) or b"{}")
        for part in (manifest.get("config"), *manifest.get("layers", [])):
            _read(layout, part, findings)
    findings += [f"{tag} was reported as done and is not there" for tag in done if tag not in tags]
    left = [path.name for path in layout.rglob(".*")] + [p.name for p in layout.parent.glob(".*")]
    return findings + [f"left behind: {name}" for name in left]


def _read(layout: Path, descriptor: dict[str, str], findings: list[str]) -> bytes:
    path = layout / _blob(descriptor)
    content = path.read_bytes() if path.is_file() else b""
    if str(Digest.of(content)) != descriptor["digest"]:
        findings.append(f"{descriptor['digest']} is missing or damaged")
    return content


def _run(seed: int, folder: Path) -> Round:
    rng = random.Random(seed)
    work = Path(tempfile.mkdtemp(prefix=f"writers-{seed}-", dir=folder))
    layout = work / "layouts" / "layout"
    layout.parent.mkdir()
    _make_images(work)
    done, findings = _write_all(rng, work, layout)
    findings += _check(layout, done)
    if findings:
        return Round(len(done), findings, [work])
    shutil.rmtree(work)
    return Round(len(done), [], [])


HARNESS = Harness("writers", "images", _run, processes=1)
