"""Output files: whole or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lamella.errors import OutputError
from lamella.transport.files import AtomicFile
from tests.transport.forms import state_of


def test_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until then the target is as it was, and has no name beside it but a hidden one."""
    target = tmp_path / "new"
    target.write_bytes(b"old")
    with AtomicFile(target) as out:
        out.file.write(b"new")
        assert target.read_bytes() == b"old"
        out.commit()
    assert state_of(tmp_path) == {"new": b"new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_without_commit_nothing_is_left(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever the reason."""
    out = AtomicFile(tmp_path / "new")
    out.__enter__()
    out.file.write(b"new")
    out.__exit__(error, error(), None)
    assert state_of(tmp_path) == {}


def test_interrupt_while_it_is_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making the file and entering the block, too."""

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "new").write_bytes(b"old")
    monkeypatch.setattr(os, "fchmod", interrupt)
    with pytest.raises(KeyboardInterrupt), AtomicFile(tmp_path / "new"):
        pytest.fail("it was entered")
    assert state_of(tmp_path) == {"new": b"old"}


def test_symlink_stays_one(tmp_path: Path) -> None:
    """The file it leads to is replaced, in its own folder."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    with AtomicFile(tmp_path / "link") as out:
        assert len(list((tmp_path / "real").iterdir())) == 1
        out.file.write(b"new")
        out.commit()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/file").read_bytes() == b"new"


def test_mode_of_the_old_file_is_kept(tmp_path: Path) -> None:
    """A private file stays private; a new one follows the umask."""
    (tmp_path / "old").touch(mode=0o600)
    before = os.umask(0o022)
    try:
        for name in ("old", "new"):
            with AtomicFile(tmp_path / name) as out:
                out.commit()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("old", "new")]
    assert modes == [0o600, 0o644]


def test_long_names_are_no_problem(tmp_path: Path) -> None:
    """A name may be as long as a file system has it, in any script."""
    target = tmp_path / ("名" * 85)
    with AtomicFile(target) as out:
        out.commit()
    assert target.exists()


def test_device_is_written_to_as_it_is() -> None:
    """It is not replaced by a file."""
    with AtomicFile(Path("/dev/null")) as out:
        out.file.write(b"gone")
        out.commit()
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    ("target", "words"),
    [("none/new", "there is no folder"), ("folder", "Is a directory"), ("file/new", "no folder")],
)
def test_place_that_can_not_be_written_to(tmp_path: Path, target: str, words: str) -> None:
    """It is known on entering."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=words), AtomicFile(tmp_path / target):
        pytest.fail("it was entered")
