"""The images of the engine tests: they have what they were made for, on each engine alike."""

from __future__ import annotations

import dataclasses

import pytest

from tests.engines.daemon import Engine
from tests.engines.images import APPLETS, BASE, CAPABILITY, app_image, build_base
from tests.engines.process import run
from tests.engines.rootfs import Node, chain_id, export_rootfs
from tests.engines.tools import Podman

pytestmark = pytest.mark.engine


@pytest.fixture(scope="session")
def first_rootfs() -> dict[str, Node]:
    """What the first engine's containers see; the others have to agree."""
    return {}


def test_app_image_is_what_its_steps_say(engine: Engine, first_rootfs: dict[str, Node]) -> None:
    """Every trap of the Dockerfile is really in the image, and all engines show the same."""
    rootfs = export_rootfs(engine, app_image(engine))
    _check_app(rootfs)
    if not first_rootfs:
        first_rootfs.update(rootfs)
    assert _without_times(rootfs) == _without_times(first_rootfs)


def test_base_image_keeps_every_attribute(engine: Engine) -> None:
    """An image of one layer can be read as well, with what its tar says."""
    build_base(engine)
    rootfs = export_rootfs(engine, BASE)
    assert len(rootfs["/bin/sh"].links) == len(APPLETS) + 1
    assert rootfs["/srv/data/noted"].xattrs == (("user.note", b"kept".hex()),)
    assert rootfs["/srv/data/noted"].mtime == 1_400_000_000_123_456_789
    assert rootfs["/tmp"].mode == 0o1777  # noqa: S108 - in the image


def test_saved_image_loads_into_another_engine(engine: Engine, podman: Podman) -> None:
    """The same image has the same file system elsewhere, to the nanosecond."""
    app = app_image(engine)
    loaded = podman("load", stdin=engine.docker_bytes("save", app)).rpartition("Loaded image: ")[2]
    there, here = export_rootfs(podman, loaded.strip()), export_rootfs(engine, app)
    del there["/"], here["/"]  # no layer says a mode for it: 555 for Podman, 755 for Docker
    assert there == here


def test_image_can_be_run(engine: Engine) -> None:
    """Its command works, which needs the hard links of the base."""
    assert engine.docker("run", "--rm", "--network=none", app_image(engine)).startswith("one")


def test_chain_id_is_the_specification_s() -> None:
    """`ChainID(A|B) = Digest(ChainID(A) + " " + B)`."""
    printed = run(["sha256sum"], stdin=b"sha256:aa sha256:bb").split()[0]
    assert chain_id(["sha256:aa", "sha256:bb"]) == f"sha256:{printed}"


def _check_app(rootfs: dict[str, Node]) -> None:
    pair = ("/srv/pair-2", "/srv/pair-3")
    assert "/srv/pair-1" not in rootfs
    assert rootfs[pair[0]].links == rootfs[pair[1]].links == pair
    assert rootfs["/srv/both-2"].sha256 != rootfs["/srv/both-1"].sha256
    assert len(rootfs["/srv/data/one"].links) == 2
    assert not {"/srv/doomed", "/srv/temporary", "/opt/recreated/old"} & rootfs.keys()
    assert (rootfs["/opt/becomes-file"].type, rootfs["/opt/becomes-dir"].type) == ("file", "dir")
    assert (rootfs["/opt/current"].target, rootfs["/opt/shortcut"].type) == ("versions/1", "dir")
    assert "/opt/versions/1/later" in rootfs
    assert rootfs["/opt/owned/deep/file"].uid == 1000
    assert rootfs["/srv/data/two"].mode == 0o4755
    assert rootfs["/srv/null"].device == (1, 3)
    assert rootfs["/srv/pipe"].type == "fifo"
    assert "/srv/data/caf\udce9" in rootfs
    (name, value), *_ = rootfs["/opt/capable/server"].xattrs
    assert name == "security.capability"
    assert bytes.fromhex(value)[4:] == CAPABILITY[4:]


def _without_times(rootfs: dict[str, Node]) -> dict[str, Node]:
    return {path: dataclasses.replace(node, mtime=0) for path, node in rootfs.items()}
