"""Looking into an image shows its files: against a slow, literal reading of the layer rules."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given

import lamella
from tests.properties.corners import CORNERS
from tests.properties.reading import clean, read_tar
from tests.properties.reference import Listing, differences, flatten
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.images import docker_archive
from tests.support.tars import Entry, layer

_TYPES = {
    "file": b"0",
    "symlink": b"2",
    "char device": b"3",
    "block device": b"4",
    "directory": b"5",
    "fifo": b"6",
}


@pytest.mark.parametrize("name", CORNERS)
def test_corners_are_seen(name: str) -> None:
    """Every corner case of the layer rules."""
    check_inside(CORNERS[name])


@examples(150)
@given(layers)
def test_any_image_is_seen(drawn: list[list[Entry]]) -> None:
    """Each path with all its attributes and its content; and all of them in one tar."""
    check_inside([layer(*entries) for entries in drawn])


def check_inside(tars: Sequence[bytes]) -> None:
    """Look at all there is to be seen of an image."""
    want = flatten(tars)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.tar"
        path.write_bytes(docker_archive(*tars))
        with lamella.open_image(path) as image:
            check_files(image, want)
            check_export(image, want)


def check_files(image: lamella.OpenImage, want: Listing) -> None:
    """Each name has the attributes and the content that it should have."""
    files = {os.fsencode(file.path): file for file in image.files()}
    assert files.keys() == want.keys()
    assert list(image.folder("/", recursive=True)) == list(image.files())
    for path, file in files.items():
        row = want[path]
        found = file.uid, file.gid, file.size, os.fsencode(file.target), file.device or (0, 0)
        assert found == (row.uid, row.gid, row.size, row.link, row.device)
        assert _TYPES[file.type] == row.type
        assert file.type == "symlink" or file.mode == row.mode
        assert row.mtime is None or file.mtime_ns == row.mtime
        if file.type == "file" and b".." not in path.split(b"/"):
            assert hashlib.sha256(image.read(path)).hexdigest() == row.sha256
        inside = [os.fsencode(one.path) for one in image.folder(os.path.dirname(path))]  # noqa: PTH120 - bytes
        assert path in inside
        assert all(os.path.dirname(one) == os.path.dirname(path) for one in inside)  # noqa: PTH120 - bytes


def check_export(image: lamella.OpenImage, want: Listing) -> None:
    """The tar has the same files under plain names, each of them once, and no deletion."""
    out = bytearray()
    tar = image.export()
    tar.write_to(out.extend)
    assert len(out) == tar.size
    assert differences(flatten([bytes(out)]), want) == []
    names = [member.name for member in read_tar(bytes(out))[0]]
    assert [name for name in names if name not in {clean(name), clean(name) + b"/", b"./"}] == []
    assert len({clean(name) for name in names}) == len(names)
    assert not any(name.rpartition(b"/")[2].startswith(b".wh.") for name in names)
