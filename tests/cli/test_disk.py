"""No room: for the output, for what is spooled; one line says which, and nothing is left."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import lamella
from lamella.errors import OutputError
from lamella.layer.compression import NONE
from lamella.layer.spool import Spool
from lamella.merge.emit import PlanTar
from lamella.merge.plan import Plan
from lamella.transport.base import spool_packed
from tests.cli.running import run
from tests.support.images import docker_archive
from tests.support.tars import layer
from tests.transport.forms import TARS, compress, layout_of, state_of, to_file

pytestmark = pytest.mark.slow

REF_NAME = "org.opencontainers.image.ref.name"
LARGE = (TARS[0], layer(("large", b"l" * (2 << 20))), TARS[1])
LIMITED = ("sh", "-c", 'ulimit -f 1024; exec "$@"', "sh")  # no file above 512 KB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid():
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("can't mount a small disk here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci"])
def test_full_disk_of_the_output(work: Path, tmp: Path, disk: Path, form: str) -> None:
    """The target is named; what had been written is removed, what was there stays."""
    source = to_file(work / "app.tar", docker_archive(*LARGE))
    target = disk / "new"
    if form == "oci":
        layout_of().write(target)
    else:
        target.write_bytes(b"as it was")
    before = state_of(disk)
    ran = run("squash", source, "-o", f"{form}:{target}", tmp=tmp)
    ran.failed(1, f"can't write {disk}/new: needs at least 2.1 MB, 0.5 MB are free in {disk}")
    assert state_of(disk) == before


@pytest.mark.parametrize("free", range(14))
def test_last_pages_of_a_disk(disk: Path, free: int) -> None:
    """An index of several pages is written whole, or the old one stays: a file takes a part."""
    made = layout_of(TARS[:2], compression="none", tag="app")
    for number in range(60):
        made.add(made.entries[0], f"tag-{number}", annotations={REF_NAME: f"{number}" * 40})
    layout = made.write(disk / "app")
    before = state_of(disk)
    room = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(max(0, room.f_bavail - free) * room.f_bsize))
    try:
        lamella.squash(f"oci:{layout}:app", "#1", output=f"oci:{layout}:new")
    except OutputError as error:
        assert re.search("no space left|MB are free in", str(error))  # noqa: PT017 - or none
        (disk / "ballast").unlink()
        assert state_of(disk) == before
    else:
        index = json.loads((layout / "index.json").read_bytes())
        assert len(index["manifests"]) == 62


@pytest.mark.parametrize("form", ["oci-archive", "oci"])
def test_disk_that_fills_up(work: Path, tmp: Path, disk: Path, form: str) -> None:
    """How much a packed layer takes is not known before; what had been written is removed."""
    noise = random.Random(5).randbytes(2 << 20)
    source = to_file(work / "app.tar", docker_archive(TARS[0], layer(("noise", noise))))
    ran = run("squash", source, "-o", f"{form}:{disk}/new", "--compression", "gzip", tmp=tmp)
    ran.failed(1, f"{disk}/new: no space left on its disk")
    assert state_of(disk) == {}


def test_room_for_what_a_layout_has_is_not_asked_for(work: Path, tmp: Path, disk: Path) -> None:
    """A kept layer that is there already takes none."""
    layers = (layer(("large", b"l" * (300 << 10))), TARS[0], TARS[1])
    layout = layout_of(layers, compression="none").write(disk / "app")
    run("squash", f"oci:{layout}", "#1", "-o", f"oci:{layout}:new", tmp=tmp).worked()


def test_full_disk_of_the_temporary_files(work: Path, tmp: Path, disk: Path) -> None:
    """The folder is named, and how to choose another."""
    source = layout_of(LARGE).write(work / "app")
    target = ["-o", f"docker-archive:{work}/new.tar"]
    for way in (["--tmp-dir", str(disk)], []):
        ran = run("squash", f"oci:{source}", *target, *way, tmp=tmp, env={"TMPDIR": str(disk)})
        ran.failed(1, f"no space left in {disk} for temporary files", "try another --tmp-dir")
    packed = layout_of((TARS[0], layer(("noise", random.Random(5).randbytes(2 << 20)))))
    ran = run(
        "squash", f"oci:{packed.write(work / 'big')}", *target, "--tmp-dir", str(disk), tmp=tmp
    )
    ran.failed(1, f"needs at least 2.1 MB, 0.5 MB are free in {disk}; try another --tmp-dir")
    run("squash", f"oci:{source}", *target, "--tmp-dir", str(work), tmp=tmp).worked()
    assert state_of(disk) == {}


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci"])
def test_limit_of_file_sizes(work: Path, tmp: Path, form: str) -> None:
    """As full as a full disk."""
    source = to_file(work / "app.tar", docker_archive(*LARGE))
    before = state_of(work)
    ran = run("squash", source, "-o", f"{form}:{work}/new", tmp=tmp, before=LIMITED)
    ran.failed(1, f"{work}/new: no space left on its disk")
    assert state_of(work) == before


@pytest.mark.parametrize("compression", ["none", "gzip", "xz"])
def test_limit_of_file_sizes_for_what_is_spooled(work: Path, tmp: Path, compression: str) -> None:
    """An archive that comes through a pipe, one that is compressed."""
    archive = compress(compression, docker_archive(*LARGE))
    target = ["-o", f"docker-archive:{work}/new.tar"]
    ran = run("squash", "-", *target, tmp=tmp, stdin=archive, before=LIMITED)
    ran.failed(1, "no space left in", "for temporary files")
    assert state_of(work) == {}


def test_device_that_is_full(work: Path, tmp: Path) -> None:
    """A device is written to as it is, and told by its name; so is standard output."""
    source = to_file(work / "app.tar", docker_archive(*LARGE))
    ran = run("squash", source, "-o", "docker-archive:/dev/full", tmp=tmp)
    ran.failed(1, "/dev/full: no space left on its disk")
    to_stdout = ("sh", "-c", 'exec "$@" > /dev/full', "sh")
    for form in ("-", "oci-archive:-"):
        ran = run("squash", source, "-o", form, tmp=tmp, before=to_stdout)
        ran.failed(1, "no space left")


def test_room_for_a_layer_that_waits_in_the_spool(disk: Path) -> None:
    """Some engines want its digest first. Its size is known, so nothing is begun in vain."""
    made = PlanTar(Plan([bytes(1 << 20)], 1 << 20, 0, [], [], []), {})
    with pytest.raises(OutputError, match=r"needs at least 1\.0 MB, 0\.5 MB are free in"):
        spool_packed(made, NONE, Spool(str(disk)))
