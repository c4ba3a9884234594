"""Looking into an image that is open: its files, as a container has them, and its layers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import lamella
from lamella.errors import DigestMismatch, NoSuchFile
from tests.support.images import docker_archive
from tests.support.tars import entry, folder, layer, link, symlink, whiteout
from tests.transport.forms import layout_of, to_file

LAYERS = (
    layer(
        folder("etc"),
        entry("etc/passwd", b"root", mode=0o640),
        symlink("etc/link", "/usr/../etc/passwd"),
        symlink("bin", "usr/bin"),
        entry("usr/bin/tool", b"tool" * 1000, mode=0o4755, xattrs={b"user.a": b"b"}),
    ),
    layer(
        link("etc/other", "etc/passwd"),
        entry("gone", b"1"),
        symlink("round", "round"),
        entry(b"odd-\xff", b""),
    ),
    layer(whiteout("gone"), entry("etc/passwd", b"changed")),
)


@pytest.fixture(params=["docker-archive", "none", "gzip", "zstd"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an image, stored in some way."""
    if request.param == "docker-archive":
        return to_file(tmp_path / "app.tar", docker_archive(*LAYERS))
    return f"oci:{layout_of(LAYERS, request.param).write(tmp_path / 'app')}"


def test_files_are_those_of_a_container(app: str) -> None:
    """What a later layer deleted is not there, what it replaced is from that layer."""
    with lamella.open_image(app) as image:
        found = {file.path: file for file in image.files()}
    assert sorted(found) == [
        *("bin", "etc", "etc/link", "etc/other", "etc/passwd", os.fsdecode(b"odd-\xff")),
        *("round", "usr", "usr/bin", "usr/bin/tool"),
    ]
    tool = found["usr/bin/tool"]
    assert (tool.type, tool.size, tool.mode, tool.layer) == ("file", 4000, 0o4755, 0)
    assert tool.xattrs == {"user.a": b"b"}
    assert (found["bin"].type, found["bin"].target) == ("symlink", "usr/bin")
    assert (found["etc/passwd"].layer, found["etc/other"].layer) == (2, 0)
    assert (found["usr"].type, found["usr"].layer) == ("directory", None)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("etc/passwd", b"changed"),
        ("/etc/passwd", b"changed"),
        ("etc/other", b"root"),
        ("etc/link", b"changed"),
        ("bin/tool", b"tool" * 1000),
        ("/bin/../bin//./tool", b"tool" * 1000),
        ("../../usr/bin/tool", b"tool" * 1000),
        (b"odd-\xff", b""),
        (os.fsdecode(b"odd-\xff"), b""),
    ],
)
def test_content_is_read_where_paths_lead(app: str, path: str | bytes, content: bytes) -> None:
    """Through symlinks and hard links; never above the root."""
    with lamella.open_image(app) as image:
        assert image.read(path) == content
        with image.open(path) as stream:
            assert stream.read(3) + stream.read() == content


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("gone", "no such file"),
        ("etc/passwd/x", "is not a directory"),
        ("round", "too many symlinks"),
        ("etc", "expected a file"),
        ("", "expected a file"),
    ],
)
def test_what_is_not_there(app: str, path: str, why: str) -> None:
    """It is the error that Python has for it, too."""
    with lamella.open_image(app) as image, pytest.raises(NoSuchFile, match=why) as error:
        image.read(path)
    assert isinstance(error.value, FileNotFoundError)


def test_a_link_can_be_looked_at_itself(app: str) -> None:
    """Or what it leads to; the root is a directory."""
    with lamella.open_image(app) as image:
        assert image.stat("etc/link", follow_symlinks=False).type == "symlink"
        assert image.stat("etc/link").path == "etc/passwd"
        assert image.stat("/").type == "directory"


def test_layers_are_streams_of_plain_tars(app: str) -> None:
    """However they are stored."""
    with lamella.open_image(app) as image:
        for opened, tar in zip(image.layers, LAYERS, strict=True):
            with opened.open() as stream:
                assert stream.read(512) == tar[:512]
                assert hashlib.sha256(tar[:512] + stream.read()).hexdigest() == opened.diff_id.hex


@pytest.mark.parametrize(
    "read",
    [
        lambda image: image.layers[1].open().read(),
        lambda image: list(image.files()),
        lambda image: image.read("etc/passwd"),
    ],
)
def test_damage_is_an_error(tmp_path: Path, read: Callable[[lamella.OpenImage], object]) -> None:
    """Whatever is looked at."""
    archive = docker_archive(*LAYERS).replace(b"odd-\xff", b"odd-\xfe")
    app = to_file(tmp_path / "app.tar", archive)
    with lamella.open_image(app) as image, pytest.raises(DigestMismatch):
        read(image)
