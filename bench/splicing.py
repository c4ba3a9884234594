"""Cases of gzip layers that become a gzip layer: real files, which nothing replaces.

The floor is what nobody can do without: read (or fetch) what is stored, hash it, inflate it, hash
that; then hash the new layer as a tar and as it is stored, and write (or send) it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from isal import igzip

from bench.case import Case, Way
from bench.goals import ANEW, INFLATED
from bench.measure import Sample, inside
from bench.registries import push, squash
from bench.shop import Shop, registry_helper
from lamella.layer.blob import CHUNK
from tests.transport.registry.images import Client

_T = TypeVar("_T")
_LEVEL = "gzip:5"
"""What is compressed anew has this level, also where blocks are taken over."""


def splicing(shop: Shop) -> Iterator[Case]:
    """From layout to layout: long runs, and runs of single files."""
    title = "layout folder → layout folder, gzip layers"
    for case, name in (("spliced", "folders"), ("spliced-files", "real")):
        image = _size(shop, name)
        ways = _between_layouts(shop, image)
        yield Case(case, title, shop.facts[image], ways)


def _between_layouts(shop: Shop, name: str) -> list[Way]:
    source, result = shop.layout(name, "gzip:6"), shop.folder / "result"

    def by_lamella(*more: str) -> Sample:
        shutil.rmtree(result, ignore_errors=True)
        words: list[str | Path] = [shop.lamella, "squash", f"oci:{source}:latest", "-q", *more]
        return shop.run([*words, "-o", f"oci:{result}:squashed"])

    def floor() -> Sample:
        by_lamella()
        copy = shop.folder / "copy"

        def work() -> None:
            _on_all_cores(_read, _layers_of(source))
            [new] = _layers_of(result)
            _read(new)
            shutil.copyfile(new, copy)

        sample = inside(work)
        copy.unlink()
        return sample

    return [
        Way(INFLATED, floor),
        Way("lamella", by_lamella),
        Way(ANEW, lambda: by_lamella("--compression", _LEVEL)),
    ]


def between_registries(shop: Shop) -> Iterator[Case]:
    """From registry to registry, beside crane."""
    name = _size(shop, "folders")
    push(shop, shop.layout(name, "gzip:6"), "files:latest")
    host = shop.registry.host
    client = Client(host)
    targets = (f"spliced/{number}:latest" for number in range(1000))

    def read(repository: str) -> None:  # `Client` hashes what it fetches, and what it sends
        blobs = (one["digest"] for one in client.manifest(repository, "latest")["layers"])
        _on_all_cores(lambda digest: _inflate(client.blob(repository, digest)), blobs)

    def floor() -> Sample:
        target = next(targets)
        by_lamella(target)
        made = target.partition(":")[0]
        [layer] = client.manifest(made, "latest")["layers"]
        new = client.blob(made, layer["digest"])

        def work() -> None:
            read("files")
            _inflate(new)
            client.put_blob(f"{made}-again", new)

        return inside(work)

    def by_lamella(target: str, *more: str) -> Sample:
        return squash(shop, "files:latest", target, *more)

    def crane() -> Sample:
        words: list[str | Path] = [shop.crane, "flatten", "--insecure", f"{host}/files:latest"]
        command = [*words, "-t", f"{host}/{next(targets)}"]
        return shop.run(command, helper=registry_helper(shop.registry))

    ways = [
        Way(INFLATED, floor),
        Way("lamella", lambda: by_lamella(next(targets))),
        Way(ANEW, lambda: by_lamella(next(targets), "--compression", _LEVEL)),
        Way("crane flatten", crane, slow=True),
    ]
    title = "registry → registry, a whole image of real files"
    yield Case("registry-spliced", title, shop.facts[name], ways)


def _size(shop: Shop, name: str) -> str:
    return f"{name}-large" if shop.full else name


def _layers_of(layout: Path) -> list[Path]:
    blobs = layout / "blobs"

    def read(descriptor: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(path(descriptor).read_bytes())
        return found

    def path(descriptor: dict[str, str]) -> Path:
        return blobs / descriptor["digest"].replace(":", "/")

    index = json.loads((layout / "index.json").read_bytes())
    return [path(layer) for layer in read(index["manifests"][0])["layers"]]


def _on_all_cores(work: Callable[[_T], object], items: Iterable[_T]) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, items))


def _read(path: Path) -> None:
    packed = path.read_bytes()
    hashlib.sha256(packed).digest()
    _inflate(packed)


def _inflate(packed: bytes) -> None:
    """Inflate a layer and hash that."""
    plain = hashlib.sha256()
    with igzip.IGzipFile(fileobj=io.BytesIO(packed)) as inflated:
        while chunk := inflated.read(CHUNK):
            plain.update(chunk)
    plain.digest()
