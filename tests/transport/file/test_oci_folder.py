"""A layout that others write too: nothing of theirs is lost, and no link is followed."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path

import pytest

import lamella
from lamella.errors import LamellaError, OutputError
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.transport.file import folders, oci_folder
from lamella.transport.file.oci_folder import FolderBlobs
from soak.writers import HARNESS
from tests.support.images import docker_archive
from tests.transport.forms import TARS, layout_of, state_of, to_file, validate_layout


def entry(content: bytes) -> Descriptor:
    """Return an entry of the index."""
    kind = "application/vnd.oci.image.manifest.v1+json"
    return Descriptor(kind, Digest.of(content), len(content))


def put(blobs: FolderBlobs, content: bytes) -> None:
    """Write a blob unless it is there."""
    if not blobs.has(Digest.of(content)):
        blob = blobs.start()
        blob.write(content)
        blob.settle(Digest.of(content))


def test_many_writers_some_of_them_killed(tmp_path: Path) -> None:
    """Every image that was reported as done is there and whole; the layout is sound."""
    done = HARNESS.run(1, tmp_path)
    assert done.count > 0
    assert done.findings == []


def test_run_that_fails_takes_nothing_from_others(tmp_path: Path) -> None:
    """What both wrote stays with the one that finished, in a layout that the other began."""
    folder = tmp_path / "layout"
    failing = FolderBlobs(folder).__enter__()
    put(failing, b"shared")
    with FolderBlobs(folder) as other:
        put(other, b"shared")
        other.finish([entry(b"shared")])
    failing.__exit__(None, None, None)
    assert (folder / "blobs/sha256" / Digest.of(b"shared").hex).read_bytes() == b"shared"
    assert len(json.loads((folder / "index.json").read_bytes())["manifests"]) == 1


def test_nothing_is_there_before_the_end(tmp_path: Path) -> None:
    """Not even the folder: nobody can rely on what may go again."""
    with FolderBlobs(tmp_path / "layout") as blobs:
        put(blobs, b"new")
        assert state_of(tmp_path) == {}
    assert state_of(tmp_path) == {}


def test_index_is_replaced_by_one_at_a_time(tmp_path: Path) -> None:
    """Who comes second waits, and keeps what the first has added."""
    folder = tmp_path / "layout"
    with FolderBlobs(folder) as first:
        put(first, b"first")
        first.finish([entry(b"first")])
    with FolderBlobs(folder) as second:
        put(second, b"second")
        held = os.open(folder, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=second.finish, args=([entry(b"second")],))
        thread.start()
        thread.join(0.2)
        assert len(json.loads((folder / "index.json").read_bytes())["manifests"]) == 1
        os.close(held)
        thread.join()
    assert len(json.loads((folder / "index.json").read_bytes())["manifests"]) == 2


def test_lock_that_is_held_for_ever_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of waiting for ever."""
    monkeypatch.setattr(oci_folder, "_LONGEST_WAIT", 0)
    layout_of().write(tmp_path)
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with FolderBlobs(tmp_path) as blobs, pytest.raises(OutputError, match="has locked it"):
        blobs.finish([entry(b"new")])
    os.close(held)


def test_blob_that_another_program_removed_is_missed(tmp_path: Path) -> None:
    """An image without a layer is not reported as done."""
    layout_of(TARS[:1], compression="none").write(tmp_path)
    before = (tmp_path / "index.json").read_bytes()
    with FolderBlobs(tmp_path) as blobs:
        assert blobs.has(Digest.of(TARS[0]))
        (tmp_path / "blobs/sha256" / Digest.of(TARS[0]).hex).unlink()
        with pytest.raises(OutputError, match="another program removed"):
            blobs.finish([entry(b"new")])
    assert (tmp_path / "index.json").read_bytes() == before


@pytest.mark.parametrize("name", ["oci-layout", "index.json", "blobs", "blobs/sha256"])
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe"])
def test_links_in_a_layout_are_not_written_through(tmp_path: Path, name: str, kind: str) -> None:
    """Whoever made them: what an image is in must not lead out of it."""
    source = to_file(tmp_path / "app.tar", docker_archive(*TARS))
    layout = layout_of().write(tmp_path / "layout")
    path, outside = layout / name, tmp_path / "outside"
    path.rename(outside)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(outside if kind == "link" else tmp_path / "none")
    before = state_of(tmp_path)
    last = name.rpartition("/")[2]
    with pytest.raises(LamellaError, match=f"{last} is (a symlink|not a regular file|no folder)"):
        lamella.squash(source, output=f"oci:{layout}")
    assert state_of(tmp_path) == before


@pytest.mark.parametrize("kind", ["link", "pipe", "damaged"])
def test_blob_that_is_no_sound_file_is_replaced(tmp_path: Path, kind: str) -> None:
    """By a file; what a link led to stays as it is."""
    source = to_file(tmp_path / "app.tar", docker_archive(*TARS))
    layout = layout_of(compression="none", tag="old").write(tmp_path / "layout")
    blob = layout / "blobs/sha256" / Digest.of(TARS[0]).hex
    if kind == "damaged":
        blob.write_bytes(b"damaged")
    else:
        blob.rename(tmp_path / "outside")
        blob.symlink_to(tmp_path / "outside") if kind == "link" else os.mkfifo(blob)
    lamella.squash(source, last=2, output=f"oci:{layout}:new")
    validate_layout(layout, "new")
    assert blob.read_bytes() == TARS[0]
    assert not blob.is_symlink()


# --- Reading --------------------------------------------------------------------------------------


def test_links_of_ones_own_are_read(tmp_path: Path) -> None:
    """Bazel and Nix make layouts in which each file is a symlink that leads out of them."""
    real = layout_of().write(tmp_path / "real")
    layout = tmp_path / "layout"
    for path in (p for p in real.rglob("*") if p.is_file()):
        link = layout / path.relative_to(real)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    lamella.squash(f"oci:{layout}", last=2, output=f"oci:{tmp_path}/new", check=True)
    validate_layout(tmp_path / "new")


@pytest.mark.parametrize("what", ["layer", "manifest", "index.json"])
def test_of_what_a_link_leads_to_nothing_is_told(tmp_path: Path, what: str) -> None:
    """A service that squashes what it is sent may read more than who sent it."""
    made = layout_of(compression="none")
    secret = tmp_path / "secret"
    secret.write_text('{"manifests": "the-password"}')
    layout = made.write(tmp_path / "layout")
    name = {
        "layer": f"blobs/sha256/{Digest.of(TARS[1]).hex}",
        "manifest": f"blobs/{made.entries[0]['digest'].replace(':', '/')}",
    }.get(what, what)
    (layout / name).unlink()
    (layout / name).symlink_to(secret)
    with pytest.raises(LamellaError, match="is a symlink, and what it leads to") as error:
        lamella.squash(f"oci:{layout}", output=f"oci:{tmp_path}/new")
    assert Digest.of(secret.read_bytes()).hex not in str(error.value)
    assert "password" not in str(error.value)


def test_links_of_another_user_are_not_read(tmp_path: Path) -> None:
    """In a layout that is not theirs."""
    if os.geteuid():
        pytest.skip("only root can make another user's files")
    layout = layout_of(compression="none").write(tmp_path / "layout")
    blob = layout / "blobs/sha256" / Digest.of(TARS[0]).hex
    blob.rename(tmp_path / "outside")
    blob.symlink_to(tmp_path / "outside")
    os.chown(blob, 65534, 65534, follow_symlinks=False)
    with pytest.raises(LamellaError, match="another user's symlink"):
        lamella.squash(f"oci:{layout}", output=f"oci:{tmp_path}/new")


def test_symlink_that_is_swapped_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others may write, what was looked at and what was opened may be two."""
    (tmp_path / "right").write_bytes(b"right")
    (tmp_path / "wrong").write_bytes(b"wrong")
    (tmp_path / "link").symlink_to("right")
    file, is_linked = folders.open_below(tmp_path, "link")
    with file:
        assert (file.read(), is_linked) == (b"right", True)

    open_file = os.open

    def late(path: str, flags: int) -> int:
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("wrong")
        return open_file(path, flags)

    monkeypatch.setattr("lamella.transport.file.folders.os.open", late)
    with pytest.raises(OSError, match="another program replaced it meanwhile"):
        folders.open_below(tmp_path, "link")


@pytest.mark.parametrize("what", ["layer", "index.json"])
def test_pipe_in_a_layout_is_not_waited_for(tmp_path: Path, what: str) -> None:
    """Nobody may ever write to it."""
    layout = layout_of(compression="none").write(tmp_path / "layout")
    path = layout / (what if what != "layer" else f"blobs/sha256/{Digest.of(TARS[0]).hex}")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(LamellaError, match=r"not a regular file|got a folder without index\.json"):
        lamella.squash(f"oci:{layout}", output=f"oci:{tmp_path}/new")
