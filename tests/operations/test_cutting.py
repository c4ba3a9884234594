"""Squashes whose new layers are cut."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import lamella
from lamella.errors import UsageError
from tests.properties.reference import differences, flatten
from tests.support.images import docker_archive, made_by
from tests.support.progress import Recorder
from tests.support.tars import entry, folder, layer, whiteout
from tests.transport.forms import Layout, compress, tars_of_archive, validate_archive

_RANDOM = random.Random(11)
_TEXT = b"what can be compressed, and is: " * 1000
_LIMIT = 100_000
BASE = layer(folder("etc"), entry("etc/old", b"1"), entry("etc/kept", b"2"))
UPPER = layer(
    folder("etc"),
    whiteout("etc/old"),
    *(entry(f"etc/{n:02}", _RANDOM.randbytes(9000) + _TEXT[: n * 900]) for n in range(30)),
)
TOP = layer(folder("usr"), *(entry(f"usr/{n}", _RANDOM.randbytes(12_000)) for n in range(20)))
TARS = (BASE, UPPER, TOP)


@pytest.fixture
def image(tmp_path: Path) -> str:
    """An archive, with a history."""
    path = tmp_path / "app.tar"
    path.write_bytes(docker_archive(*TARS, history=made_by("base", "(ENV a)", "upper", "top")))
    return str(path)


def layout_of(folder_: Path, kind: str) -> str:
    """Write a layout whose layers are compressed."""
    made = Layout()
    return f"oci:{made.add(made.manifest(TARS, kind), 'app').write(folder_)}:app"


def test_into(image: str, tmp_path: Path) -> None:
    """So many layers that show the same files, each with an entry of the history."""
    output = tmp_path / "out.tar"
    result = lamella.squash(image, "1", output=f"docker-archive:{output}", into=3, check=True)
    config = validate_archive(output)
    tars = tars_of_archive(output)
    assert tars[0] == BASE
    assert len(tars) == result.layers_after == 4
    assert differences(flatten(tars), flatten(TARS)) == []
    made = "lamella squash # 2 layers"
    assert [step["created_by"] for step in config["history"]] == ["base", "ENV a", *[made] * 3]
    (squashed,) = result.ranges
    assert [one.bytes for one in squashed.layers] == [len(tar) for tar in tars[1:]]
    assert [one.diff_id for one in squashed.layers] == config["rootfs"]["diff_ids"][1:]
    assert squashed.bytes_after == sum(len(tar) for tar in tars[1:])


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_the_limit_is_of_what_is_stored(tmp_path: Path, kind: str) -> None:
    """Compressed layers are measured, and cut again where they are too large."""
    result = lamella.squash(
        layout_of(tmp_path / "layout", kind),
        "1",
        output=f"oci:{tmp_path}/new:new",
        max_layer_size=_LIMIT,
        check=True,
    )
    with lamella.open_image(f"oci:{tmp_path}/new:new") as found:
        assert found.manifest is not None
        sizes = [one.size for one in found.manifest.layers[1:]]
    assert sizes == [one.stored for one in result.ranges[0].layers]
    assert max(sizes) <= _LIMIT
    assert max(one.bytes for one in result.ranges[0].layers) > _LIMIT
    stored = sum(len(compress(kind, tar)) for tar in TARS[1:])
    assert len(sizes) <= 2 * (stored // _LIMIT + 1)


def test_the_limit_is_of_what_is_plain(image: str, tmp_path: Path) -> None:
    """Where layers are stored so, which is told."""
    told, output = Recorder(), tmp_path / "out.tar"
    env = lamella.Environment(progress=told)
    how = {"output": f"docker-archive:{output}", "max_layer_size": _LIMIT, "env": env}
    lamella.squash(image, "1", **how)  # type: ignore[arg-type]
    assert max(len(tar) for tar in tars_of_archive(output)) <= _LIMIT
    assert told.notes == ["`max_layer_size`: layers are stored uncompressed there"]


def test_a_file_that_is_too_large_is_told(tmp_path: Path) -> None:
    """It has a layer of its own."""
    big = entry("usr/big", _RANDOM.randbytes(2 * _LIMIT))
    (tmp_path / "app.tar").write_bytes(docker_archive(BASE, layer(folder("usr"), big), TOP))
    told, output = Recorder(), tmp_path / "out.tar"
    env = lamella.Environment(progress=told)
    where = f"docker-archive:{output}"
    lamella.squash(
        tmp_path / "app.tar", "1", output=where, max_layer_size=_LIMIT, check=True, env=env
    )
    assert "`max_layer_size`: /usr/big is larger: its layer has 202240 bytes" in told.notes
    assert sum(len(tar) > _LIMIT for tar in tars_of_archive(output)) == 1


def test_a_layer_alone_is_cut(image: str, tmp_path: Path) -> None:
    """Its step stays, and each other part has one."""
    output = tmp_path / "out.tar"
    result = lamella.squash(
        image, layers="2", output=f"docker-archive:{output}", into=2, check=True
    )
    assert result.layers_after == 4
    steps = [step["created_by"] for step in validate_archive(output)["history"]]
    assert steps == ["base", "ENV a", "upper", "lamella squash # 1 layer", "top"]


def test_what_fits_is_not_cut(image: str, tmp_path: Path) -> None:
    """Then nothing but the squash is done: the same bytes come of it."""
    ids = [
        lamella.squash(image, "1", output=f"docker-archive:{tmp_path}/{n}.tar", **how).id  # type: ignore[arg-type]
        for n, how in enumerate(({}, {"max_layer_size": 10**9}, {"into": 1}))
    ]
    assert len({*ids}) == 1


def test_a_dry_run_tells_it(image: str) -> None:
    """How many layers there would be, and their sizes."""
    result = lamella.squash(image, "1", into=3, dry_run=True)
    assert result.layers_after == 4
    document = result.to_json()["ranges"][0]["layers"]
    assert [one["stored"] for one in document] == [0, 0, 0]
    assert all(one["bytes"] > 0 for one in document)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"into": 0}, "`into` 0: expected a number of layers, 1 to 120"),
        ({"max_layer_size": 100}, "`max_layer_size` 100: expected 65536 bytes or more"),
        ({"into": 2, "max_layer_size": 10**6}, "exclude each other"),
    ],
)
def test_what_makes_no_sense(image: str, how: dict[str, int], message: str) -> None:
    """It is refused before anything is read."""
    with pytest.raises(UsageError, match=message):
        lamella.squash(image, dry_run=True, **how)  # type: ignore[arg-type]
