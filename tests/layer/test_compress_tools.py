"""Compressed layers of more than one block, read by the tools they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

import lamella
from tests.engines.tools import Podman, Tool
from tests.layer.test_compress import like_a_tar
from tests.support.images import docker_archive, made_by
from tests.support.tars import layer
from tests.transport.forms import Layout, to_file

pytestmark = pytest.mark.engine

CONTENT = like_a_tar(5_000_000)
SPLICED = {"spliced": "gzip", "spliced zstd": "zstd in parts"}


def layout(tmp_path: Path, compression: str) -> str:
    """Squash two layers of several megabytes into an OCI layout."""
    tars = [
        layer("etc/"),
        layer("etc/", ("etc/big", CONTENT)),
        layer("etc/", ("etc/new", CONTENT[9:])),
    ]
    target = f"oci:{tmp_path}/new:slim"
    if compression.startswith("spliced"):
        made = Layout()
        made.add(made.manifest(tars, SPLICED[compression]), "app")
        source = f"oci:{made.write(tmp_path / 'old')}:app"
        result = lamella.squash(source, output=target, last=2)
        assert result.ranges[0].spliced > len(CONTENT)
        return target
    history = made_by("FROM", "RUN one", "RUN two")
    source = to_file(tmp_path / "app.tar", docker_archive(*tars, history=history))
    lamella.squash(source, output=target, compression=compression, last=2)
    return target


@pytest.mark.parametrize("compression", ["gzip", "gzip:1", "gzip:9", "spliced"])
def test_umoci_unpacks_all_of_it(tmp_path: Path, umoci: Tool, compression: str) -> None:
    """To the last byte."""
    layout(tmp_path, compression)
    umoci("raw", "unpack", "--rootless", "--image", f"{tmp_path}/new:slim", tmp_path / "rootfs")
    assert (tmp_path / "rootfs/etc/big").read_bytes() == CONTENT
    assert (tmp_path / "rootfs/etc/new").read_bytes() == CONTENT[9:]


@pytest.mark.parametrize("compression", ["gzip", "gzip:1", "gzip:9", "spliced"])
def test_skopeo_repacks_all_of_it(tmp_path: Path, skopeo: Tool, compression: str) -> None:
    """It has to decompress for that, and checks the diff_id."""
    target = layout(tmp_path, compression)
    skopeo("copy", target, f"docker-archive:{tmp_path}/copy.tar:app:slim")
    assert lamella.verify(target, f"docker-archive:{tmp_path}/copy.tar") == []


@pytest.mark.parametrize("compression", ["gzip", "gzip:1", "zstd", "spliced", "spliced zstd"])
def test_podman_pulls_all_of_it(tmp_path: Path, podman: Podman, compression: str) -> None:
    """A reader that unpacks into its own storage."""
    image = podman("pull", "-q", layout(tmp_path, compression)).strip()
    try:
        saved = f"oci-archive:{tmp_path}/saved.tar"
        podman("image", "save", "--format=oci-archive", "-o", tmp_path / "saved.tar", image)
        assert lamella.verify(f"oci:{tmp_path}/new:slim", saved) == []
    finally:
        podman("image", "rm", image)
