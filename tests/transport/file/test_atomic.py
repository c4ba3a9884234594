"""Output files: whole or not there."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lamella import files
from lamella.errors import OutputError
from lamella.transport.file.atomic import AtomicFile
from lamella.transport.file.oci_folder import FolderBlobs
from tests.transport.forms import state_of


def test_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until then the target is as it was, and nothing is beside it, hidden or not."""
    target = tmp_path / "new"
    target.write_bytes(b"old")
    with AtomicFile(target) as out:
        out.file.write(b"new")
        assert state_of(tmp_path) == {"new": b"old"}
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


# --- Left behind ----------------------------------------------------------------------------------


@pytest.fixture
def no_unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without files that have no name."""
    monkeypatch.setattr(files, "_open_unnamed", lambda folder, mode: None)


@pytest.mark.usefixtures("no_unnamed")
@pytest.mark.parametrize("old", [b"old", None])
def test_file_system_without_nameless_files(tmp_path: Path, old: bytes | None) -> None:
    """The temporary name goes in any case, and the target is whole or as it was."""
    if old:
        (tmp_path / "new").write_bytes(old)
    before = state_of(tmp_path)
    with AtomicFile(tmp_path / "new") as out:
        out.file.write(b"part")
    assert state_of(tmp_path) == before
    with AtomicFile(tmp_path / "new") as out:
        out.file.write(b"new")
        assert len(state_of(tmp_path)) == len(before) + 1
        out.commit()
    assert state_of(tmp_path) == {"new": b"new"}


WRITER = """
import sys
from pathlib import Path
from lamella import files
from lamella.transport.file.atomic import AtomicFile
files._open_unnamed = lambda folder, mode: None
with AtomicFile(Path(sys.argv[1])) as out:
    print("open", flush=True)
    sys.stdin.read()
    out.commit()
"""


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """What one that lives is writing stays, and so does what only looks like it."""
    other = tmp_path / ".lamella-notes.tmp"
    other.touch()
    (tmp_path / f".lamella-{'0' * 16}.tmp").symlink_to(other)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path / name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ("killed", "alive")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
    writers[0].send_signal(signal.SIGKILL)
    writers[0].communicate()
    assert len(state_of(tmp_path)) == 4
    with AtomicFile(tmp_path / "next") as out:
        out.commit()
    assert len(state_of(tmp_path)) == 4  # the killed one's is gone, "next" is new
    writers[1].communicate()
    assert sorted(state_of(tmp_path)) == sorted(
        [other.name, f".lamella-{'0' * 16}.tmp", "alive", "next"]
    )
    assert writers[1].returncode == 0


def test_content_is_on_the_disk_before_it_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the name is, before all is said to be done: a power cut takes nothing back."""
    (tmp_path / "new").write_bytes(b"old")
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(fd: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    def note_replace(*args: object, **more: object) -> None:
        done.append("name")
        replace(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    with AtomicFile(tmp_path / "new") as out:
        out.commit()
    assert done == ["file", "name", "folder"]


def write_file(target: Path) -> None:
    """Write one, whole."""
    with AtomicFile(target) as out:
        out.commit()


def write_layout(target: Path) -> None:
    """Write one, without images."""
    with FolderBlobs(target) as blobs:
        blobs.finish([])


@pytest.mark.parametrize(("write", "made"), [(write_file, ""), (write_layout, "index.json")])
def test_a_disk_that_does_not_confirm_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path], None],
    made: str,
) -> None:
    """It is an error, and the message does not say that nothing was written."""
    fsync = os.fsync

    def fail_for_the_parent(fd: int) -> None:
        if os.path.samestat(os.fstat(fd), tmp_path.stat()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", fail_for_the_parent)
    told = r"it was written, but the disk did not confirm it \(Input/output error\); check the disk"
    with pytest.raises(OutputError, match=told):
        write(tmp_path / "new")
    assert (tmp_path / "new" / made).is_file()


# --- What others planted --------------------------------------------------------------------------

STRANGER = 65534


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder like /tmp."""
    if os.geteuid():
        pytest.skip("only root can make another user's files")
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def by_stranger(path: Path) -> None:
    """Make something another user's."""
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe", "device", "chain"])
def test_what_another_user_planted_is_not_followed(tmp_path: Path, shared: Path, kind: str) -> None:
    """A link, on the way too; a pipe, which would be waited for; a device."""
    victim, planted = tmp_path / "victim", shared / "planted"
    victim.mkdir()
    (victim / "file").write_bytes(b"kept")
    target = planted
    match kind:
        case "link":
            planted.symlink_to(victim / "file")
        case "dangling link":
            planted.symlink_to(victim / "new")
        case "folder":
            planted.symlink_to(victim)
            target = planted / "new"
        case "pipe":
            os.mkfifo(planted)
        case "device":
            os.mknod(planted, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        case "chain":
            planted.symlink_to(victim / "file")
            target = tmp_path / "mine"
            target.symlink_to(planted)
    by_stranger(planted)
    with pytest.raises(OutputError, match=r"planted is .* of another user \(uid 65534\)"):
        AtomicFile(target).__enter__()
    assert state_of(victim) == {"file": b"kept"}


def test_mode_of_another_users_file_is_not_taken_over(shared: Path) -> None:
    """And of one's own file nothing that gives rights: setuid, setgid."""
    planted, own = shared / "planted", shared / "own"
    for path in (planted, own):
        path.touch()
        if path == planted:
            by_stranger(path)
        path.chmod(0o4707)
        with AtomicFile(path) as out:
            out.commit()
    wanted = 0o666 & ~_umask()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (planted, own)] == [wanted, 0o707]
    assert planted.stat().st_uid == os.geteuid()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_links_of_the_folders_owner_lead_to_folders(shared: Path, tmp_path: Path) -> None:
    """As the kernel has it: whoever owns the folder decides what is in it."""
    (tmp_path / "real").mkdir()
    (shared / "current").symlink_to(tmp_path / "real")
    by_stranger(shared)
    by_stranger(shared / "current")
    with AtomicFile(shared / "current" / "new") as out:
        out.commit()
    assert (tmp_path / "real" / "new").exists()


def test_pipe_of_ones_own_is_written_to(tmp_path: Path) -> None:
    """Also through a link, as a shell's `>(command)` has it."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source:
        with AtomicFile(Path(f"/dev/fd/{writing}")) as out:
            out.file.write(b"all")
            out.commit()
        os.close(writing)
        assert source.read() == b"all"
    assert state_of(tmp_path) == {}
