"""Damaged images: each is squashed right or refused in a line, soon and in bounded memory.

Damage is done to a layer (and digests made right again), to a document, or to the whole file.
"""

from __future__ import annotations

import json
import random
import resource
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lamella
from lamella.errors import LamellaError
from lamella.spec.digest import Digest
from soak.harness import Harness, Round
from tests.properties.strategies import KINDS, PATHS, build, tars_of
from tests.support.images import config_of, docker_archive
from tests.support.machine import patience
from tests.support.sparse import FORMS, sparse
from tests.support.tars import reseal
from tests.transport.forms import COMPRESSIONS, Layout, compress, docker_archive_with

__all__ = ["HARNESS"]

_IMAGES = 100
_SECONDS = 30
_MEMORY = 1 << 30
_BLOCK = 512
_ODD_BYTES = [
    *(b"", b"\0", b"\xff", b"/", b"\n", b"9", b"-", b" ", b"=", b"\x80"),
    *(bytes(12), b"7" * 11),
]
_ODD_VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 1e300, 10**40),
    *("", "x", "\ud800", "\0", "é" * 5000, "../../x", "sha256:", "sha256:" + "0" * 64),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": []}}, "2024-13-01T00:00:00Z"),
]
_WAYS = ["header", "header", "header", "bytes", "cut", "repeat", "swap", "drop"]


def _run(seed: int, folder: Path) -> Round:
    """Damage so many images; keep those that come out wrong."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    found = Round(_IMAGES, [], [])
    for number in range(_IMAGES):
        chance = random.Random(f"{seed}.{number}")
        kind, raw = _damaged(chance)
        if wrong := _check(raw, chance.random()):
            kept = folder / f"mutation-{seed}-{number}.tar"
            kept.write_bytes(raw)
            found.findings.append(f"{kept.name}, damaged {kind}: {wrong}"[:1000])
            found.kept.append(kept)
    return found


def _damaged(chance: random.Random) -> tuple[str, bytes]:
    """Return what was damaged, and a docker-archive or an OCI archive."""
    tars = _image(chance)
    kind = chance.choice(["layer", "layer", "document", "file"])
    if kind == "layer":
        at = chance.randrange(len(tars))
        tars[at] = _mutated(chance, tars[at])
    if chance.random() < 0.5:  # noqa: PLR2004 - each form half of the time
        raw = _docker(chance, tars, odd=kind == "document")
    else:
        raw = _oci(chance, tars, odd=kind == "document")
    return kind, _mutated(chance, raw) if kind == "file" else raw


def _image(chance: random.Random) -> list[bytes]:
    """Draw layers; see `tests.properties.strategies`. Some have a sparse file."""
    plan = [
        [
            (chance.choice(KINDS), chance.randrange(len(PATHS)), chance.randrange(2**32))
            for _ in range(chance.randint(0, 10))
        ]
        for _ in range(chance.randint(2, 4))
    ]
    tars = tars_of(build(plan))
    if chance.random() < 0.2:  # noqa: PLR2004 - some
        made = sparse(chance.choice(FORMS), "sparse", [(100, 600), (2000, 3)], 5000, b"s" * 603)
        tars[0] = made.data + tars[0]
    return tars


def _mutated(chance: random.Random, raw: bytes) -> bytes:
    """Change some bytes, as a rule in headers whose checksum is then made right."""
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        if not raw:
            break
        how = chance.choice(_WAYS)
        at = chance.randrange(len(raw))
        block = at // _BLOCK * _BLOCK
        if how == "header":
            head = bytearray(raw[block : block + _BLOCK].ljust(_BLOCK, b"\0"))
            odd = chance.choice(_ODD_BYTES)
            place = chance.choice([0, 100, 108, 116, 124, 136, 156, 157, 257, 329, 345, at - block])
            head[place : place + len(odd)] = odd
            raw = raw[:block] + reseal(bytes(head[:_BLOCK])) + raw[block + _BLOCK :]
        elif how == "bytes":
            raw = raw[:at] + chance.choice(_ODD_BYTES) + raw[at + 1 :]
        elif how == "cut":
            raw = raw[:at]
        elif how == "repeat":
            raw = raw[:block] + raw[block : block + 3 * _BLOCK] + raw[block:]
        elif how == "swap":
            raw = raw[:block] + raw[block + _BLOCK : block + 2 * _BLOCK] + raw[block:]
        else:
            raw = raw[:block] + raw[block + _BLOCK :]
    return raw


def _odd(chance: random.Random, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Put an odd value somewhere into a document, or leave something out."""
    places = list(_places(value))
    if not places or chance.random() < 0.03:  # noqa: PLR2004 - seldom all of it
        return chance.choice(_ODD_VALUES)
    holder, key = chance.choice(places)
    how = chance.random()
    if how < 0.2:  # noqa: PLR2004 - of five
        del holder[key]
    elif how < 0.3 and isinstance(holder, list):  # noqa: PLR2004 - of ten
        holder *= 2
    else:
        holder[key] = chance.choice(_ODD_VALUES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _config(chance: random.Random, tars: list[bytes], *, odd: bool) -> bytes:
    steps = [{"created_by": f"step {number}"} for number in range(len(tars))]
    value = config_of([Digest.of(tar) for tar in tars], steps)
    return json.dumps(_odd(chance, value) if odd else value).encode()


def _docker(chance: random.Random, tars: list[bytes], *, odd: bool) -> bytes:
    if not odd:
        return docker_archive(*tars)
    in_config = chance.random() < 0.5  # noqa: PLR2004 - half of them
    config = _config(chance, tars, odd=in_config)
    files: dict[str, bytes | str] = {"config.json": config}
    names = [f"{number}.tar" for number in range(len(tars))]
    files.update(zip(names, tars, strict=True))
    entries = [{"Config": "config.json", "RepoTags": ["a:1"], "Layers": names}]
    return docker_archive_with(files, entries if in_config else _odd(chance, entries))


def _oci(chance: random.Random, tars: list[bytes], *, odd: bool) -> bytes:
    made, media = Layout(), "application/vnd.oci.image."
    where = chance.choice(["config", "manifest", "index"]) if odd else ""
    config = _config(chance, tars, odd=where == "config")
    kind = chance.choice(COMPRESSIONS)
    layers = [made.blob(compress(kind, tar), f"{media}layer.v1.tar+gzip") for tar in tars]
    manifest: Any = {
        "schemaVersion": 2,
        "config": made.blob(config, f"{media}config.v1+json"),
        "layers": layers,
        "annotations": {"a": "b"},
    }
    if where == "manifest":
        manifest = _odd(chance, manifest)
    made.add(made.blob(json.dumps(manifest).encode(), f"{media}manifest.v1+json"), "a")
    if where == "index":
        made.entries = _odd(chance, made.entries)
    return made.tar()


@contextmanager
def _in_time() -> Iterator[None]:
    def late(_number: int, _frame: object) -> None:
        message = f"not done after {_SECONDS} s"
        raise TimeoutError(message)

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, patience(_SECONDS))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _check(raw: bytes, chance: float) -> str:
    """Squash it; return what is wrong, or nothing."""
    with tempfile.TemporaryDirectory(prefix="soak-mutations-") as work:
        source, layout = Path(work, "in.tar"), Path(work, "out")
        source.write_bytes(raw)
        output = f"oci:{layout}" if chance < 0.5 else f"docker-archive:{layout}"  # noqa: PLR2004
        try:
            with _in_time():
                lamella.squash(str(source), last=2, output=output)
                wrong = _differences(str(source), output)
        except LamellaError as error:
            said = str(error)
            if len(said) > 1000 or "\n" in said:  # noqa: PLR2004 - a line
                return f"a message of {len(said)} characters: {said[:300]!r}"
            return f"left behind: {layout}" if layout.exists() else ""
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            return f"{type(error).__name__}: {error}"
        if layout.is_dir():
            wrong += [text for path in layout.rglob("*") if (text := _no_json(path))]
        return "; ".join(wrong)


def _differences(source: str, output: str) -> list[str]:
    """Compare them; a source that can't be read in full needs no readable copy."""
    try:
        return [str(one) for one in lamella.verify(source, output)]
    except LamellaError as error:
        try:
            lamella.verify(source, source)
        except LamellaError:
            return []
        return [f"it told success: {error}"]


def _no_json(path: Path) -> str:
    """Say what is wrong with a document as those read it who take JSON by the letter."""
    if not path.is_file() or path.read_bytes()[:1] not in {b"{", b"["}:
        return ""

    def refuse(text: str) -> None:
        message = f"{text} is no JSON"
        raise ValueError(message)

    try:
        json.loads(path.read_bytes().decode(), parse_constant=refuse)
    except ValueError as error:
        return f"{path.name}: {error}"
    return ""


HARNESS = Harness("mutations", "images", _run, processes=2)
