"""Archives: files by name in a tar, and how one is written."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from lamella import limits
from lamella.errors import MalformedImage, MalformedTar, OutputError
from lamella.layer.spool import Spool
from lamella.transport.file.strange import what_is, why_no_image
from lamella.transport.file.tarball import ArchiveWriter, open_archive
from tests.support.sparse import FORMS, sparse
from tests.support.tars import END, entry, folder, layer, link, symlink
from tests.transport.forms import COMPRESSIONS, compress, to_file


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_file_is_read_whatever_the_archive_is_packed_with(
    tmp_path: Path, compression: str, seekable: bool
) -> None:
    """Plain ones in place, the others from the spool."""
    packed = compress(compression, layer(("file", b"content")))
    with Path(to_file(tmp_path / "a", packed)).open("rb") as file:
        opened = open_archive(file, "a", Spool(str(tmp_path)), seekable=seekable)
        assert opened.read("file") == b"content"
        assert "none" not in opened


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ([symlink("link", "file")], "link"),
        ([symlink("a/link", "../file")], "a/link"),
        ([symlink("a/link", "b"), symlink("a/b", "../file")], "a/link"),
        ([link("link", "file")], "link"),
        ([symlink("a", "link"), link("link", "./file")], "a"),
        ([], "./file"),
    ],
)
def test_links_are_followed(tmp_path: Path, members: list[object], name: str) -> None:
    """`docker save` writes repeated layers as links, some tools as hard ones."""
    tar = layer("a/", ("file", b"content"), *members)  # type: ignore[arg-type]
    with Path(to_file(tmp_path / "a", tar)).open("rb") as file:
        opened = open_archive(file, "a", Spool(), seekable=True)
        assert name in opened
        assert opened.read(name) == b"content"


@pytest.mark.parametrize("form", FORMS)
def test_sparse_files_are_unpacked(tmp_path: Path, form: str) -> None:
    """Docker and skopeo load such archives: holes are zeros."""
    tar = layer("a", sparse(form, "layer.tar", [(2, 3), (900, 1)], 1000, b"abcd"), "b")
    with Path(to_file(tmp_path / "a", tar)).open("rb") as file:
        opened = open_archive(file, "a", Spool(str(tmp_path)), seekable=True)
        assert opened.read("layer.tar") == bytes(2) + b"abc" + bytes(895) + b"d" + bytes(99)
        assert opened.range("layer.tar") is opened.range("./layer.tar")


class Crowded(Spool):
    """Temporary space that has no room."""

    def check_room(self, need: int) -> None:
        """Have none."""
        message = f"no room for {need} bytes"
        raise OutputError(message)


@pytest.mark.parametrize("form", FORMS)
def test_holes_fill_neither_memory_nor_disk(tmp_path: Path, form: str) -> None:
    """Some bytes may say a terabyte."""
    tar = layer(sparse(form, "file", [(2, 3)], 1 << 40, b"abc"))
    with Path(to_file(tmp_path / "a", tar)).open("rb") as file:
        opened = open_archive(file, "a", Crowded(str(tmp_path)), seekable=True)
        with pytest.raises(MalformedImage, match="too large"):
            opened.read("file")
        with pytest.raises(OutputError, match=f"no room for {1 << 40} bytes"):
            opened.range("file")


@pytest.mark.parametrize(
    "members",
    [
        [symlink("link", "nowhere")],
        [symlink("link", "link")],
        [symlink("link", "b"), symlink("b", "link")],
        [symlink("link", "../../../etc/passwd")],
        [symlink("link", "/etc/passwd")],
        [folder("link/")],
    ],
)
def test_what_is_no_file_of_the_archive_is_missing(tmp_path: Path, members: list[object]) -> None:
    """A link never leads out of the archive, and never in a circle for ever."""
    tar = layer(*members)  # type: ignore[arg-type]
    with Path(to_file(tmp_path / "a", tar)).open("rb") as file:
        opened = open_archive(file, "a", Spool(), seekable=True)
        assert "link" not in opened
        with pytest.raises(MalformedImage, match="not in the archive"):
            opened.read("link")


def test_last_of_two_files_of_a_name_counts(tmp_path: Path) -> None:
    """As for whoever unpacks it."""
    with Path(to_file(tmp_path / "a", layer(("f", b"1"), ("f", b"22")))).open("rb") as file:
        assert open_archive(file, "a", Spool(), seekable=True).read("f") == b"22"


def test_metadata_of_absurd_size_are_refused(tmp_path: Path) -> None:
    """A layer in place of a config would fill the memory."""
    size = limits.DOCUMENT + 512
    with (tmp_path / "a").open("wb+") as file:
        file.write(entry("config", size=size).encode())
        file.seek(size, io.SEEK_CUR)
        file.write(END)
        file.flush()
        opened = open_archive(file, "a", Spool(), seekable=True)
        with pytest.raises(MalformedImage, match=r"'config': too large: expected "):
            opened.read("config")


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", MalformedImage, "it is empty"),
        (b"no tar" * 200, MalformedImage, "got text"),
        (layer(("f", b"x" * 600))[:300], MalformedImage, "a tar whose first header is damaged or"),
        (
            layer(("e", b""), ("f", b"x" * 600))[:1600],
            MalformedTar,
            r"archive.tar: .* cut off in f \(truncated content: expected 600 .*, got 576\); ",
        ),
        (
            layer(("manifest.json", b'[{"Layers": ["e", "f"]}]'), ("f", b"x" * 600))[:1800],
            MalformedTar,
            r"archive.tar: .* cut off in layer 2 \(f\) \(truncated content: .*\); ",
        ),
        (
            layer(("e", b"x"), ("f", b"x" * 600))[:1034],
            MalformedTar,
            r"archive.tar: .* cut off after e \(truncated header: expected 512 .*, got 10\); down",
        ),
    ],
    ids=["empty", "text", "first header", "content", "layer", "header"],
)
def test_what_is_no_archive(
    tmp_path: Path, content: bytes, error: type[Exception], words: str
) -> None:
    """The message names the file."""
    name = to_file(tmp_path / "archive.tar", content)
    with Path(name).open("rb") as file, pytest.raises(error, match=words):
        open_archive(file, name, Spool(), seekable=True)


class Endless(io.RawIOBase):
    """Gives the same bytes again and again, but not for ever."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._left = 1 << 20

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes."""
        assert size > 0
        self._left -= size
        assert self._left > 0, "it was read on and on"
        return (self._content * (size // len(self._content) + 1))[:size]


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (bytes(10), "got zeros"),
        (b"y\n", "got text"),
        (gzip.compress(b"y\n" * 9000), "got gzip of text"),
        (gzip.compress(bytes(9000)), "got gzip of zeros"),
    ],
    ids=["zeros", "text", "gzip of text", "gzip of zeros"],
)
def test_what_has_no_end_is_refused_at_its_start(tmp_path: Path, content: bytes, got: str) -> None:
    """A device, or a pipe from the wrong command: the disk must not be full first."""
    endless = cast("BinaryIO", Endless(content))
    with pytest.raises(MalformedImage, match=f"expected an image archive .*, {got}$"):
        open_archive(endless, "-", Spool(str(tmp_path)), seekable=False)


def test_slow_pipe(tmp_path: Path) -> None:
    """The first block may come in pieces."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 1, 100))

    content = layer(("f", b"22"))
    opened = open_archive(Slow(content), "-", Spool(str(tmp_path)), seekable=False)
    assert opened.read("f") == b"22"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "nothing: it is empty"),
        (b"%PDF-1.7\n\xff", "a PDF"),
        (b"PK\3\4\x14", "a zip file"),
        (b"\x7fELF\2", "a program (ELF)"),
        (b"\n<!DOCTYPE HTML><p>", "a web page (HTML)"),
        (b"<html lang=de>", "a web page (HTML)"),
        (b' {"errors": []}', "JSON"),
        ("müde".encode()[:2], "text"),
        ("FROM scratch # über".encode(), "text"),
        (b"\x80\x81\x82\x83\x84", "data of an unknown kind"),
        (b"text\0text", "data of an unknown kind"),
    ],
)
def test_what_is_no_tar_is_named(content: bytes, kind: str) -> None:
    """As far as its first bytes tell, of which there may be half a letter at the end."""
    assert what_is(content) == kind


@pytest.mark.parametrize(
    ("paths", "got"),
    [
        ([b"a", b"a/b"], "neither"),
        ([b"app", b"app/oci-layout", b"app/index.json"], "app/index.json; pack what is in app/,"),
        ([b"bin", b"etc/passwd", b"usr", b"srv"], "a file system, as docker export writes it"),
    ],
)
def test_what_is_no_image_is_named(paths: list[bytes], got: str) -> None:
    """By what is in it."""
    assert why_no_image(paths).startswith(got)


def test_written_archive_is_read_by_others(tmp_path: Path) -> None:
    """Folders come before what is in them, once; the same files give the same bytes."""
    made = []
    for _ in range(2):
        out = io.BytesIO()
        writer = ArchiveWriter(out, "out")
        writer.add("a/b/one", b"1" * 1000)
        writer.add("a/two", b"")
        writer.close()
        made.append(out.getvalue())
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0])) as tar:
        assert tar.getnames() == ["a", "a/b", "a/b/one", "a/two"]
        file = tar.extractfile("a/b/one")
        assert file is not None
        assert file.read() == b"1" * 1000


def test_file_shorter_than_announced_is_a_failure() -> None:
    """Its header has gone out already."""
    writer = ArchiveWriter(io.BytesIO(), "out")
    writer.begin("a", 10)
    writer.write(b"12345")
    with pytest.raises(MalformedImage, match="5 bytes of 10 were not written"):
        writer.end(10)
