"""``lamella ls``, ``cat`` and ``export``: the files of an image, without a container."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.cli.running import COMMAND, environment, run
from tests.engines.daemon import Engine
from tests.engines.images import name_app
from tests.properties.reading import read_tar
from tests.properties.reference import differences, flatten
from tests.support.images import docker_archive
from tests.support.tars import device, entry, fifo, folder, layer, link, opaque, symlink, whiteout
from tests.transport.forms import layout_of, state_of, to_file

LAYERS = (
    layer(
        folder("./etc/", 0o750, uid=7, gid=1000),
        entry("./etc/passwd", b"root:x:0:0\n", mode=0o640),
        symlink("./etc/out", "../../../etc/passwd"),
        symlink("./bin", "usr/bin"),
        entry("./usr/bin/tool", b"\0tool" * 100_000, mode=0o4755, xattrs={b"user.a": b"\0b"}),
        device("./dev/null", 1, 3),
        device("./dev/sda", 8, 0, b"4"),
        fifo("./run/pipe"),
    ),
    layer(
        link("etc/other", "etc/passwd"),
        entry("gone", b"1"),
        symlink("nowhere", "/not/there"),
        entry("odd\x1b[31m\n", b"escape \x1b[31m\tand tab\r\nlast"),
        entry(b"caf\xe9", b"latin"),
    ),
    layer(
        whiteout("gone"),
        folder("usr/bin"),
        opaque("run"),
        entry("run/new", b"n", mtime=1_700_000_000_123_456_789),
        entry("usr/bin/early", b"", mtime=-(10**9)),
    ),
)


@pytest.fixture(params=["docker-archive", "oci none", "oci gzip", "oci zstd", "oci-archive", "-"])
def stored(request: pytest.FixtureRequest, work: Path) -> tuple[str, bytes]:
    """An image in some place: its reference, and what comes on standard input."""
    kind, _, compression = request.param.partition(" ")
    if kind == "oci":
        return f"oci:{layout_of(LAYERS, compression).write(work / 'layout')}", b""
    if kind == "oci-archive":
        return f"oci-archive:{to_file(work / 'app.oci', layout_of(LAYERS).tar())}", b""
    if kind == "-":
        return "-", docker_archive(*LAYERS)
    return f"docker-archive:{to_file(work / 'app.tar', docker_archive(*LAYERS))}", b""


@pytest.fixture
def image(work: Path) -> str:
    """The same image in a docker-archive."""
    return to_file(work / "app.tar", docker_archive(*LAYERS))


def archived(work: Path, *tars: bytes) -> str:
    """Name a docker-archive of these layers."""
    return to_file(work / "other.tar", docker_archive(*tars))


# -- ls


def test_lines_are_those_of_ls(lamella: Lamella, stored: tuple[str, bytes]) -> None:
    """Mode, owner, size, time, name, link target; wherever the image is, however it is stored."""
    name, stdin = stored
    lines = lamella("ls", name, stdin=stdin).worked().text.splitlines()
    assert lines == [
        "lrwxrwxrwx 0:0     0 2020-09-13 12:26 bin -> usr/bin",
        r"-rw-r--r-- 0:0     5 2020-09-13 12:26 caf\xe9",
        "drwxr-xr-x 0:0     0 1970-01-01 00:00 dev",
        "drwxr-x--- 7:1000  0 2020-09-13 12:26 etc",
        "lrwxrwxrwx 0:0     0 2020-09-13 12:26 nowhere -> /not/there",
        r"-rw-r--r-- 0:0    26 2020-09-13 12:26 odd\x1b[31m\n",
        "drwxr-xr-x 0:0     0 1970-01-01 00:00 run",
        "drwxr-xr-x 0:0     0 1970-01-01 00:00 usr",
    ]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/dev", ["crw-r--r-- 0:0 1, 3 2020-09-13 12:26 null", "8, 0 2020-09-13 12:26 sda"]),
        ("/bin", ["12:26 tool", "-rw-r--r-- 0:0      0 1969-12-31 23:59 early"]),
        ("bin/tool", ["-rwsr-xr-x 0:0 500000 2020-09-13 12:26 /usr/bin/tool"]),
        ("/etc/out", ["/etc/out -> ../../../etc/passwd"]),
        ("nowhere", ["/nowhere -> /not/there"]),
        ("../../etc/./other", ["-rw-r----- 0:0 11 2020-09-13 12:26 /etc/other"]),
        ("/run", ["12:26 new", "22:13 new"]),
    ],
)
def test_paths_lead_as_in_a_container(
    lamella: Lamella, image: str, path: str, wanted: list[str]
) -> None:
    """Of a directory the content, through symlinks; of all else itself; never above the root."""
    text = lamella("ls", image, path).worked().text
    assert any(one in text for one in wanted), text
    assert "\x1b" not in text


def test_recursive_has_whole_paths(lamella: Lamella, image: str) -> None:
    """As they can be given to `lamella cat`."""
    lines = lamella("ls", "-R", image, "/usr").worked().text.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == [
        "/usr/bin",
        "/usr/bin/early",
        "/usr/bin/tool",
    ]


def test_a_layer_has_what_it_says(lamella: Lamella, image: str) -> None:
    """Also what it deletes and hides; hard links are told as such."""
    lines = lamella("ls", "-R", image, "--layer", "3").worked().text.splitlines()
    assert [line.partition(" /")[2] for line in lines] == [
        "gone (deleted)",
        "run (lower content deleted)",
        "run/new",
        "usr/bin",
        "usr/bin/early",
    ]
    text = lamella("ls", image, "--layer", "#2", "etc").worked().text
    assert text == "hrw-r--r-- 0:0 0 2020-09-13 12:26 other link to /etc/passwd\n"
    text = lamella("ls", image, "--layer", "3").worked().text
    assert text.splitlines() == [
        "----------" + " " * 24 + "gone (deleted)",
        "----------" + " " * 24 + "run (lower content deleted)",
        "drwxr-xr-x 0:0 0 1970-01-01 00:00 run",
        "drwxr-xr-x 0:0 0 1970-01-01 00:00 usr",
    ]


def test_a_layer_is_named_as_elsewhere(lamella: Lamella, image: str) -> None:
    """By its ID too; one that is not there is wrong usage."""
    ids = lamella("layers", "-m", image).worked().text.split()
    by_id = lamella("ls", image, "--layer", ids[1][:12]).worked().text
    assert by_id == lamella("ls", image, "--layer", "2").worked().text
    lamella("ls", image, "--layer", "4").failed(2, "no layer 4", "1 to 3")
    lamella("ls", image, "/etc/passwd", "--layer", "2").failed(2, "the layer has no such file")


def test_json_has_all_attributes(lamella: Lamella, image: str) -> None:
    """To the nanosecond, with extended attributes and device numbers."""
    found = json.loads(lamella("ls", image, "-R", "--json").worked().out)
    files = {file["path"]: file for file in found["files"]}
    tool = files["usr/bin/tool"]
    assert (tool["mode"], tool["size"], tool["layer"]) == ("4755", 500_000, 1)
    assert {k: base64.b64decode(v) for k, v in tool["xattrs"].items()} == {"user.a": b"\0b"}
    assert files["run/new"]["mtime"] == "2023-11-14T22:13:20.123456789Z"
    assert files["usr/bin/early"]["mtime"] == "1969-12-31T23:59:59Z"
    assert (files["dev/sda"]["type"], files["dev/sda"]["device"]) == ("block device", [8, 0])
    assert files[r"caf\xe9"]["size"] == 5
    assert files["etc/out"]["target"] == "../../../etc/passwd"
    assert files["usr"]["layer"] is None
    alone = json.loads(lamella("ls", image, "--layer", "3", "--json").worked().out)
    assert alone["layer"] == 3
    assert {file["type"] for file in alone["files"]} == {"deletion", "opaque", "directory"}


@pytest.mark.parametrize("mtime", [2**62 * 10**9, -(2**62) * 10**9])
def test_a_time_that_no_calendar_has(lamella: Lamella, work: Path, mtime: int) -> None:
    """It is told in seconds, as `date -d` reads them."""
    name = archived(work, layer(entry("a", mtime=mtime)))
    assert f"@{mtime // 10**9} a" in lamella("ls", name).worked().text


# -- cat


def test_content_is_written_as_it_is(lamella: Lamella, stored: tuple[str, bytes]) -> None:
    """Of each path, one after the other; symlinks and hard links are followed in the image."""
    name, stdin = stored
    paths = ["etc/out", "/bin/tool", "/etc/other"]
    ran = lamella("cat", name, *paths, stdin=stdin).worked()
    assert ran.out == b"root:x:0:0\n" + b"\0tool" * 100_000 + b"root:x:0:0\n"


def test_odd_names_can_be_given(image: str, tmp: Path) -> None:
    """Bytes that are no UTF-8 too."""
    assert run("cat", image, os.fsdecode(b"caf\xe9"), tmp=tmp).worked().out == b"latin"
    assert run("cat", image, "odd\x1b[31m\n", tmp=tmp).worked().out.startswith(b"escape \x1b[31m")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc", ["/etc: expected a file, got a directory", "lamella ls"]),
        ("/", ["got a directory"]),
        ("/dev/null", ["got a char device"]),
        ("nowhere", ["nowhere: a symlink on the way leads to /not, which"]),
        ("/etc/paswd", ["did you mean /etc/passwd?"]),
        ("/ect/passwd", ["did you mean /etc/passwd?"]),
        ("passwd", ["did you mean /etc/passwd?"]),
        ("etc/passwd/x", ["etc/passwd is not a directory"]),
        ("od\x1b[31m", [r"od\x1b[31m: the image", r"did you mean /odd\x1b[31m"]),
        ("gone", ["no such file"]),
    ],
)
def test_what_is_no_file_is_one_line(
    lamella: Lamella, image: str, path: str, words: list[str]
) -> None:
    """It is wrong usage, offers what may be meant, and nothing is written, of others neither."""
    ran = lamella("cat", image, "/etc/passwd", path).failed(2, *words)
    assert ran.out == b""
    assert "\x1b" not in ran.err


def test_a_damaged_layer_is_found_before_a_byte(lamella: Lamella, work: Path) -> None:
    """Whatever file it is in."""
    archive = docker_archive(*LAYERS).replace(b"latin", b"greek")
    name = to_file(work / "bad.tar", archive)
    assert lamella("cat", name, "etc/passwd").failed(1, "digest mismatch").out == b""


def test_who_has_seen_enough_may_go(image: str, tmp: Path) -> None:
    """`lamella cat … | head -c 1` says nothing."""
    shell = f"{COMMAND} cat --progress none {image} usr/bin/tool usr/bin/tool | head -c 5"
    done = subprocess.run(
        ["sh", "-c", shell], check=True, capture_output=True, env=environment(tmp)
    )
    assert (done.stdout, done.stderr) == (b"\0tool", b"")


def on_terminal(tmp: Path, *args: str) -> tuple[int, bytes]:
    """Run a command whose standard output is a terminal; return its exit code and what it says."""
    master, slave = pty.openpty()
    done = subprocess.run(
        [COMMAND, *args, "-q"], stdout=slave, stderr=slave, check=False, env=environment(tmp)
    )
    os.close(slave)
    out = b""
    try:
        while chunk := os.read(master, 65536):
            out += chunk
    except OSError:  # the other end is closed
        pass
    os.close(master)
    return done.returncode, out.replace(b"\r\n", b"\n")


def test_a_terminal_gets_text_alone(image: str, tmp: Path) -> None:
    """What would do something to it is shown escaped, but for tabs and line ends."""
    code, out = on_terminal(tmp, "cat", image, "odd\x1b[31m\n")
    assert (code, out) == (0, b"escape \\x1b[31m    and tab\\r\nlast\n")


# -- export


def exported(lamella: Lamella, name: str, stdin: bytes = b"") -> bytes:
    """Return the tar on standard output."""
    return lamella("export", name, stdin=stdin).worked().out


def test_export_has_what_a_container_sees(lamella: Lamella, stored: tuple[str, bytes]) -> None:
    """Against a slow, literal reading of the layer rules; the same bytes however it is stored."""
    name, stdin = stored
    tar = exported(lamella, name, stdin)
    assert differences(flatten([tar]), flatten(LAYERS)) == []
    assert tar == exported(lamella, "-", docker_archive(*LAYERS))


def test_gnu_tar_unpacks_it(lamella: Lamella, image: str, work: Path) -> None:
    """By a name as `docker export` has it; with all attributes, hard links too."""
    (work / "root").mkdir()
    tar = exported(lamella, image)
    subprocess.run(["tar", "-xpC", work / "root", "--xattrs"], input=tar, check=True)
    root = work / "root"
    assert (root / "etc/other").stat().st_ino == (root / "etc/passwd").stat().st_ino
    assert (root / "usr/bin/tool").stat().st_mode & 0o7777 == 0o4755
    assert os.getxattr(root / "usr/bin/tool", "user.a") == b"\0b"
    assert (root / "run/new").stat().st_mtime_ns == 1_700_000_000_123_456_789
    one = subprocess.run(
        ["tar", "-xO", "etc/passwd"], input=tar, check=True, capture_output=True
    ).stdout
    assert one == b"root:x:0:0\n"


def test_a_file_is_whole_or_not_there(lamella: Lamella, image: str, work: Path) -> None:
    """The same bytes as through a pipe; a damaged layer leaves what was there."""
    assert lamella("export", image, "-o", f"{work}/new.tar").worked().out == b""
    assert (work / "new.tar").read_bytes() == exported(lamella, image)
    damaged = docker_archive(*LAYERS).replace(b"latin", b"greek")
    name = to_file(work / "bad.tar", damaged)
    before = state_of(work)
    lamella("export", name, "-o", f"{work}/new.tar").failed(1, "digest mismatch")
    assert state_of(work) == before
    lamella("export", name).failed(1, "digest mismatch")
    lamella("export", image, "-o", f"{work}/no/new.tar").failed(1, f"no folder {work}/no")


def test_a_terminal_gets_no_tar(image: str, tmp: Path) -> None:
    """One line says the way out."""
    code, out = on_terminal(tmp, "export", image)
    assert code == 2
    assert out == (b"lamella: won't write an archive to a terminal; redirect it, or give -o FILE\n")


def test_platforms_are_chosen(lamella: Lamella, work: Path) -> None:
    """As everywhere."""
    name = f"oci:{layout_of(LAYERS).write(work / 'one')}"
    for command in (["ls"], ["cat"], ["export"]):
        more = ["/etc/passwd"] if command == ["cat"] else []
        lamella(*command, name, *more, "--platform", "linux/amd64").worked()
        lamella(*command, name, *more, "--platform", "linux/s390x").failed(2, "linux/s390x")


@pytest.mark.engine
@pytest.mark.parametrize("source", ["auto", "api"])
def test_of_a_real_engine(docker_classic: Engine, work: Path, tmp: Path, source: str) -> None:
    """The tar has what the engine's own export has, and `cat` what a container prints."""
    name_app(docker_classic, "looked/base:1", "looked/app:1")
    env = {"DOCKER_HOST": docker_classic.host}
    ours = run("export", "looked/app:1", "--source", source, tmp=tmp, env=env).worked().out
    container = docker_classic.docker("create", "looked/app:1", "true").strip()
    try:
        theirs = docker_classic.docker_bytes("export", container)
    finally:
        docker_classic.docker("rm", container)
    made = {b"dev", b"etc", b"proc", b"sys", b".dockerenv"}  # by Docker, for any container
    both = [
        {
            # The engine's export has whole seconds, and of the attributes capabilities alone.
            path: replace(row, mtime=(row.mtime or 0) // 10**9, xattrs=())
            for path, row in flatten([tar]).items()
            if path.split(b"/")[0] not in made
        }
        for tar in (ours, theirs)
    ]
    assert len(both[0]) > 20
    assert differences(*both) == []
    files = [m for m in read_tar(ours)[0] if m.type == b"0" and m.content and m.name.isascii()]
    name = files[0].name.decode()
    ran = run("cat", "looked/app:1", name, "--source", source, tmp=tmp, env=env).worked()
    assert ran.out == files[0].content
    lines = run("ls", "looked/app:1", "--source", source, tmp=tmp, env=env).worked().text
    assert len(lines.splitlines()) == len({path.split(b"/")[0] for path in flatten([ours])})
