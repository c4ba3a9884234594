"""Bytes that move when a registry's image has a real base: 210 MB under 8 MB."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.properties.reference import differences, flatten
from tests.support.tars import END, entry, folder, layer, whiteout
from tests.transport.registry.faulty import Front
from tests.transport.registry.images import OCI, Client

pytestmark = pytest.mark.engine

_MB = 1 << 20
_BASE, _TOP = 210 * _MB, 8 * _MB
_RANDOM = random.Random(17)
TOP = [
    layer(folder("app"), entry(f"app/{number}", _RANDOM.randbytes(_TOP // 4)))
    for number in range(4)
]
_NO_FILE_OVER, _NO_MEMORY_OVER = 24 * _MB, 200 * _MB


def test_a_big_base(front: Front, client: Client, name: str, tmp_path: Path) -> None:
    """It stays where it is; for its listing it comes once, and is neither stored nor held."""
    small = layer("etc/", ("etc/a", b"a"))
    upper = [*TOP, layer(whiteout("etc/a"))]
    plain = b"".join([small.removesuffix(END), *_big_files(), END])
    packing = zlib.compressobj(0, wbits=31)  # which is fast, and as long as if it were compressed
    stored = packing.compress(plain) + packing.flush()
    client.push(f"{name}:1", [plain, *upper], stored={0: (stored, OCI["layer"])})
    old = client.manifest(name, "1")["layers"]
    top = sum(described["size"] for described in old[1:])
    (work := tmp_path / "work").mkdir()

    def squash(*arguments: str) -> int:
        """Squash, with little room; return how many bytes of blobs came."""
        front.reset()
        run(
            *("squash", f"docker://{front.host}/{name}:1", *arguments),
            tmp=work,
            env={"XDG_CACHE_HOME": str(tmp_path / "cache")},
            before=["prlimit", f"--fsize={_NO_FILE_OVER}", f"--data={_NO_MEMORY_OVER}"],
        ).worked()
        assert front.up < top * 1.02
        return front.down

    base = f"GET .*/blobs/{old[0]['digest']}"
    # The layer that deletes is not squashed here, so nobody asks what is below.
    assert squash("--layers", "2-5", "-t", f"{name}-o:added") < top * 1.02
    assert front.count(base) == 0
    assert len(stored) < squash("#1", f"{name}-o:first") < len(stored) + top * 1.02
    assert front.count(base) == 1
    assert squash("#1", f"{name}-o:second") < top * 1.02
    assert front.count(base) == 0

    first, second = (client.manifest(f"{name}-o", tag)["layers"] for tag in ("first", "second"))
    assert first == second
    assert first[0] == old[0]
    merged = gzip.decompress(client.blob(f"{name}-o", first[1]["digest"]))
    assert differences(flatten([small, merged]), flatten([small, *upper])) == []


def _big_files() -> list[bytes]:
    block = _RANDOM.randbytes(_MB)
    return [entry(f"big{number}", block * 30).encode() for number in range(_BASE // _MB // 30)]
