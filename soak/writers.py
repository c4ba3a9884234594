"""Several writers of one layout, some of them killed: what was reported as done is there.

A round lets six processes write images of their own into the same new layout, over and over; they
share layers. Half of them are killed at a random moment, and one more meets a damaged image and
fails.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lamella.spec.digest import Digest
from soak.harness import Harness, Round
from tests.support.images import docker_archive
from tests.support.tars import layer
from tests.transport.forms import layout_of

__all__ = ["HARNESS"]

_WRITERS = 6
_IMAGES = 4
"""That each writer writes."""
_REF_NAME = "org.opencontainers.image.ref.name"

_WRITE = """
import sys
import lamella
number, images, folder, layout = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for n in range(int(images)):
    tag = f"{number}-{n}"
    try:
        image = f"docker-archive:{folder}/{n}-{int(number) % 2}.tar"
        lamella.squash(image, "#1", output=f"oci:{layout}:{tag}")
        print(tag, flush=True)
        lamella.squash(f"oci:{folder}/damaged", "#1", output=f"oci:{layout}:damaged")
    except lamella.LamellaError as error:
        print(f"! {error}", flush=True)
"""


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
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITE, str(number), str(_IMAGES), folder, layout],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(_WRITERS)
    ]
    for writer in writers:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in rng.sample(writers, _WRITERS // 2):
        try:
            writer.wait(rng.random() * 0.4)
        except subprocess.TimeoutExpired:
            writer.kill()
    said = [line for writer in writers for line in writer.communicate()[0].splitlines()]
    wrong = [line for line in said if line.startswith("!") and "digest mismatch" not in line]
    wrong += [f"a writer ended with {w.returncode}" for w in writers if w.returncode not in {0, -9}]
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
