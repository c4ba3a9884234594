"""What we write is read by those it is for: skopeo, umoci, podman."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lamella
from tests.engines.tools import Podman, Tool
from tests.support.images import docker_archive, made_by
from tests.transport.forms import TARS, layout_of, to_file

pytestmark = pytest.mark.engine

FORMS = ["docker-archive:{}/new:app:slim", "oci:{}/new:slim", "oci-archive:{}/new:slim"]


def squashed(tmp_path: Path, form: str, compression: str | None = None, **choice: int) -> str:
    """Squash an image that came from an engine; return the reference of the result."""
    history = made_by("FROM", "RUN one", "RUN two")
    source = to_file(tmp_path / "app.tar", docker_archive(*TARS, history=history))
    target = form.format(tmp_path)
    lamella.squash(source, output=target, compression=compression, **choice)  # type: ignore[arg-type]
    return target


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("form", FORMS)
def test_skopeo_inspects_and_copies(
    tmp_path: Path, skopeo: Tool, form: str, compression: str
) -> None:
    """Copying checks every digest."""
    target = squashed(tmp_path, form, compression, last=2)
    assert len(json.loads(skopeo("inspect", target))["Layers"]) == 2
    skopeo("copy", target, f"oci:{tmp_path}/copy:slim")
    assert lamella.verify(target, f"oci:{tmp_path}/copy:slim") == []


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_umoci_unpacks(tmp_path: Path, umoci: Tool, compression: str) -> None:
    """The files are what the layers say."""
    squashed(tmp_path, "oci:{}/new:slim", compression)
    umoci("raw", "unpack", "--rootless", "--image", f"{tmp_path}/new:slim", tmp_path / "rootfs")
    etc = tmp_path / "rootfs/etc"
    assert sorted(path.name for path in etc.iterdir()) == ["link", "name", "new"]
    assert (etc / "name").read_bytes() == b"changed\n" * 150
    assert (etc / "link").readlink() == Path("new")


@pytest.mark.parametrize("form", [form for form in FORMS if "archive" in form])
def test_podman_loads(tmp_path: Path, podman: Podman, form: str) -> None:
    """And knows it by its tag, with as many layers as we say."""
    target = squashed(tmp_path, form, last=2)
    loaded = podman("load", "-i", tmp_path / "new")
    name = loaded.rpartition("Loaded image: ")[2].strip()
    layers = json.loads(podman("image", "inspect", name))[0]["RootFS"]["Layers"]
    with lamella.open_image(target) as image:
        assert layers == [str(diff_id) for diff_id in image.diff_ids]
    podman("image", "rm", name)


def test_layout_of_others_gets_an_image_of_ours(tmp_path: Path, skopeo: Tool, umoci: Tool) -> None:
    """Both are there for whoever made the layout."""
    source = layout_of().write(tmp_path / "source")
    skopeo("copy", f"oci:{source}:app", f"oci:{tmp_path}/layout:old")
    lamella.squash(f"oci:{tmp_path}/layout:old", last=2, output=f"oci:{tmp_path}/layout:new")
    assert set(umoci("ls", "--layout", tmp_path / "layout").split()) == {"new", "old"}
    for tag, layers in (("old", 3), ("new", 2)):
        found = json.loads(skopeo("inspect", f"oci:{tmp_path}/layout:{tag}"))
        assert len(found["Layers"]) == layers
