"""Every operation against a registry and token server of which any answer may be odd."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import lamella
from lamella import api
from lamella.transport.registry import Backoff, RegistryOptions
from soak.harness import Harness, Round
from tests.odd.answers import Oddly
from tests.odd.judging import fault_of
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.images import docker_archive
from tests.support.tars import layer, whiteout
from tests.transport.registry.images import DOCKER, OCI, Client, digest_of

__all__ = ["HARNESS"]

_CALLS = 40
_TARS = [
    layer("d/", ("d/a", b"1" * 3000)),
    layer(("b", b"2")),
    layer(whiteout("d/a"), ("c", b"3")),
]
_BACKOFF = Backoff(tries=3, first=0.0005, longest=0.01)


def _run(seed: int, folder: Path) -> Round:
    """Do so many things while some answers are odd."""
    del folder
    found, chance = Round(_CALLS, [], []), random.Random(seed)
    for number in range(_CALLS):
        oddly = Oddly(seed * _CALLS + number)
        with tempfile.TemporaryDirectory() as work, registry_in_memory(oddly) as registry:
            _fill(registry)
            registry.guarded = chance.random() < 0.5  # noqa: PLR2004
            name, call = chance.choice(_operations(registry.host, Path(work)))
            oddly.chance = chance.choice([0.1, 0.3, 1.0])
            fault = fault_of(call)
        if fault:
            told = ", ".join(oddly.told[:5])
            found.findings.append(f"seed {seed}, call {number}, {name}: {fault}; {told}"[:1500])
    return found


def _fill(registry: MemoryRegistry) -> None:
    client = Client(registry.host)
    index = {"schemaVersion": 2, "mediaType": OCI["index"], "manifests": []}
    for tag, names in (("1", OCI), ("2", DOCKER)):
        client.push(f"team/app:{tag}", _TARS, names)
        raw = registry.manifests["team/app", tag][1]
        index["manifests"].append(  # type: ignore[attr-defined]
            {"mediaType": names["manifest"], "digest": digest_of(raw), "size": len(raw)}
            | {"platform": {"os": "linux", "architecture": "amd64" if tag == "1" else "arm64"}}
        )
    client.put_manifest("team/app", "all", index, OCI["index"])


def _operations(host: str, work: Path) -> list[tuple[str, Callable[[], object]]]:
    image, both = f"docker://{host}/team/app:1", f"docker://{host}/team/app:all"
    options = RegistryOptions(backoff=_BACKOFF)
    env = lamella.Environment(tmp_dir=str(work), registry=options)
    archive = work / "app.tar"
    archive.write_bytes(docker_archive(*_TARS))
    layers, other = ["2-3"], f"docker://{host}/other/app:2"

    def listed() -> None:
        with api.open_layers(image, dead=True, env=env):
            pass

    return [
        (
            "to a file",
            lambda: lamella.squash(image, layers=layers, output=f"oci:{work}/o", env=env),
        ),
        ("in place", lambda: lamella.squash(image, layers=layers, tag=["new"], env=env)),
        ("to another", lambda: lamella.squash(image, layers=layers, output=other, env=env)),
        ("from a file", lambda: lamella.squash(str(archive), layers=layers, output=other, env=env)),
        (
            "all platforms",
            lambda: lamella.squash(both, layers=layers, output=other, platform="all", env=env),
        ),
        ("layers", listed),
        ("analyze", lambda: lamella.analyze(image, env=env)),
        ("verify", lambda: lamella.verify(image, f"docker://{host}/team/app:2", env=env)),
        ("verify all", lambda: lamella.verify(both, both, platform="all", env=env)),
    ]


HARNESS = Harness("answers_registry", "calls", _run, processes=2)
