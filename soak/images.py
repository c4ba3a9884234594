"""Random images, a random range of each squashed, held against an independent reading of layers."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import lamella
from lamella.errors import LamellaError
from soak.harness import Harness, Round
from tests.properties.portable import complaints
from tests.properties.reference import BrokenLayer, differences, flatten
from tests.properties.strategies import KINDS, PATHS, Operation, build, tars_of
from tests.support.images import docker_archive, image
from tests.support.squashing import prepared, stream_of

__all__ = ["HARNESS"]

_IMAGES = 20
_Plan = list[list[Operation]]


def _run(seed: int, folder: Path) -> Round:
    """Check so many images; keep those that fail, cut down to what makes them fail."""
    found = Round(_IMAGES, [], [])
    for number in range(_IMAGES):
        chance = random.Random(f"{seed}.{number}")
        plan = _draw(chance)
        start = chance.randrange(len(plan) - 1)
        ranges = range(start, chance.randint(start + 2, len(plan)))
        check = _check_compressed if chance.random() < 0.3 else _check_archive  # noqa: PLR2004
        if check(plan, ranges):
            plan = _cut_down(plan, lambda smaller: bool(check(smaller, ranges)))  # noqa: B023 - used at once
            kept = folder / f"image-{seed}-{number}.tar"
            kept.write_bytes(docker_archive(*tars_of(build(plan))))
            what = f"{kept.name}, layers {ranges.start + 1}-{ranges.stop}: {check(plan, ranges)}"
            found.findings.append(what[:1000])
            found.kept.append(kept)
    return found


def _draw(chance: random.Random) -> _Plan:
    """Draw what two to five layers do; see `tests.properties.strategies`."""
    return [
        [
            (chance.choice(KINDS), chance.randrange(len(PATHS)), chance.randrange(2**32))
            for _ in range(chance.randint(0, 14))
        ]
        for _ in range(chance.randint(2, 5))
    ]


def _check_archive(plan: _Plan, ranges: range) -> str:
    """Squash a range as a program does; say what is wrong, or nothing."""
    tars = tars_of(build(plan))
    with tempfile.TemporaryDirectory() as work:
        source, output = Path(work, "in.tar"), Path(work, "out.tar")
        source.write_bytes(docker_archive(*tars))
        chosen = [f"{ranges.start + 1}-{ranges.stop}"]
        try:
            lamella.squash(str(source), layers=chosen, output=f"docker-archive:{output}")
            return _compare(tars, _layers_of(output), ranges)
        except (LamellaError, OSError) as error:
            return f"{type(error).__name__}: {error}"


def _check_compressed(plan: _Plan, ranges: range) -> str:
    """Squash a range of an image whose layers come compressed, and so through a sieve."""
    tars = tars_of(build(plan))
    stored = {number: gzip.compress(tar, 1) for number, tar in enumerate(tars)}
    try:
        with prepared(image(*tars, stored=stored), ranges) as ready:
            merged = stream_of(ready.merged(ranges))
            ready.count_dropped()
    except LamellaError as error:
        return f"{type(error).__name__}: {error}"
    return _compare(tars, [*tars[: ranges.start], merged, *tars[ranges.stop :]], ranges)


def _compare(before: Sequence[bytes], after: Sequence[bytes], ranges: range) -> str:
    """Hold the layers against each other by the reference, and the new one against its form."""
    faults = complaints(after[ranges.start], before[: ranges.start])
    try:
        faults += differences(flatten(after), flatten(before))
    except BrokenLayer as error:
        faults.append(f"no image any more: {error}")
    return "; ".join(faults)


def _layers_of(archive: Path) -> list[bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:

        def read(name: str) -> bytes:
            file = tar.extractfile(name)
            return file.read() if file else b""

        return [read(name) for name in json.loads(read("manifest.json"))[0]["Layers"]]


def _cut_down(plan: _Plan, fails: Callable[[_Plan], bool]) -> _Plan:
    """Leave out, one after the other, operations without which it fails as well."""
    at_work = True
    while at_work:
        smaller = next((p for p in _with_one_less(plan) if fails(p)), None)
        at_work, plan = smaller is not None, smaller or plan
    return plan


def _with_one_less(plan: _Plan) -> Iterator[_Plan]:
    for number, layer in enumerate(plan):
        for left_out in range(len(layer)):
            fewer = [*layer[:left_out], *layer[left_out + 1 :]]
            yield [*plan[:number], fewer, *plan[number + 1 :]]


HARNESS = Harness("images", "images", _run, processes=2)
