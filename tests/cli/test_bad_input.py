"""Wrong names and places: one line that helps, the right exit code, nothing left behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lamella.spec.digest import Digest
from tests.cli.conftest import Lamella
from tests.cli.running import Ran, run, start
from tests.support.images import docker_archive
from tests.support.machine import patience
from tests.support.tars import END, entry, layer
from tests.support.warm import warm_command
from tests.transport.forms import (
    TARS,
    Layout,
    docker_archive_with,
    layout_of,
    several_images,
    state_of,
    to_file,
)


def reading_nothing(*args: str, tmp: Path, cwd: Path) -> Ran:
    """Run with a stdin that never says anything: who reads it hangs."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with start(*args, tmp=tmp, command=warm_command(), cwd=cwd, **pipes) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        err, out = process.stderr.read(), process.stdout.read()
        process.wait(patience(60))
    assert list(tmp.iterdir()) == []
    return Ran(process.returncode, out, err.decode())


# --- Sources --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci"])
def test_missing_file(lamella: Lamella, work: Path, form: str) -> None:
    """The file is named; the exit code tells it from a damaged one."""
    ran = lamella("squash", f"{form}:{work}/none", "-o", f"docker-archive:{work}/new.tar")
    ran.failed(7, f"no {'folder' if form == 'oci' else 'file'} '{work}/none' here")
    assert state_of(work) == {}


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_folder_in_place_of_a_file(lamella: Lamella, work: Path, form: str) -> None:
    """A folder is no archive; it may be a layout."""
    lamella("layers", f"{form}:{work}").failed(1, "got a folder", f"try oci:{work}")


def test_file_in_place_of_a_folder(lamella: Lamella, work: Path) -> None:
    """A file is no layout; it may be an archive."""
    name = to_file(work / "file", docker_archive(*TARS))
    lamella("layers", f"oci:{name}").failed(1, "got a file", f"try docker-archive:{name}")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("app.tar:b:1", ["for an image in 'app.tar': docker-archive:app.tar:b:1"]),
        ("layout:b", ["for an image in 'layout': oci:layout:b"]),
        ("docker:/reg.example/app", ["did you mean docker://reg.example/app?"]),
        ("Readme", ["no file 'Readme' here; invalid image name"]),
    ],
)
def test_what_was_meant(
    lamella: Lamella,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    words: list[str],
) -> None:
    """A reference without its prefix, or with half of it: the whole is proposed."""
    monkeypatch.chdir(work)
    to_file(work / "app.tar", docker_archive(*TARS))
    layout_of().write(work / "layout")
    (work / "folder").mkdir()
    # What can be the name of an image may be one of the engine, which is not there.
    lamella("layers", typed).failed(5 if typed == "layout:b" else 7, *words)
    assert "for an image" not in lamella("layers", "folder:b").err


def test_no_engine_is_not_all_that_is_missing(lamella: Lamella, work: Path) -> None:
    """Nor is a file there; and an output may be meant for a registry."""
    lamella("squash", "none:1", "-t", "a:1").failed(5, "no file 'none:1' here")
    app = to_file(work / "app.tar", docker_archive(*TARS))
    ran = lamella("squash", app, "-o", "reg.example:5000/a")
    ran.failed(5, "for a registry: docker://reg.example:5000/a")
    assert "registry" not in lamella("squash", app, "-o", "a:1").err


@pytest.mark.parametrize("typed", ["none.tar", "in/none.tar.gz", "reg.example/none.tgz"])
def test_name_of_an_archive(lamella: Lamella, typed: str) -> None:
    """It is a file's, so no engine is asked; who means an image is told how to say so."""
    message = f"no file '{typed}' here"
    for command in (["layers", typed], ["squash", typed, "-t", "a:1"], ["verify", typed, typed]):
        ran = lamella(*command).failed(7, message, f"; for an image: docker-daemon:{typed}")
        assert ("for a registry: docker://" in ran.err) == typed.startswith("reg.")
    ran = lamella("layers", "./none.tar").failed(7, "no file './none.tar' here")
    assert "docker-daemon:" not in ran.err


def test_folder_that_is_no_layout(
    lamella: Lamella, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what it lacks; no engine is asked for what can only be a folder."""
    lamella("layers", f"oci:{work}").failed(1, "got a folder without index.json")
    (work / "folder").mkdir()
    monkeypatch.chdir(work)
    for command in (["layers"], ["squash", "-t", "a:1"], ["analyze"]):
        for typed in (str(work), "./folder", "folder/", "."):
            ran = lamella(*command, typed).failed(7, "no index.json, oci-layout or manifest.json")
            assert "engine" not in ran.err
    lamella("layers", "folder").failed(5, "the folder 'folder' is no image: it has no index.json")
    to_file(work / "folder" / "manifest.json", b"[]")
    lamella("layers", "./folder").failed(7, "pack it: tar -cf app.tar -C ./folder .")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("reg.example:5000/a", "; for a registry: docker://reg.example:5000/a"),
        ("tar", "; for a file: docker-archive:tar"),
        ("a:1", "; files need no engine (docker-archive:FILE)"),
    ],
)
def test_output_without_a_prefix(lamella: Lamella, app: str, output: str, words: str) -> None:
    """What it was taken for is said first, and what to type if something else was meant."""
    taken = f"output '{output}' is taken for the name of an image in an engine, and the Docker"
    lamella("squash", app, "-o", output).failed(5, taken, words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"hello\n" * 500, "got text"),
        (layer("just/", ("just/a", b"tar")), "expected manifest.json or index.json at its top"),
        (bytes(10240), "got zeros"),
        (entry("manifest.json", b"{").encode() + END, "invalid JSON"),
        (entry("manifest.json", b"[" * 100_000).encode() + END, "invalid JSON"),
        (entry("manifest.json", b"{}").encode() + END, "expected a list, got an object"),
        (entry("manifest.json", b"[]").encode() + END, "expected a list of images, got none"),
        (entry("manifest.json", b"[1]").encode() + END, "expected an object, got 1"),
        (entry("manifest.json", b'[{"Config":1}]').encode() + END, "Config: expected text, got 1"),
        (
            entry("manifest.json", b'[{"Config":"c","Layers":{"a":1}}]').encode() + END,
            "Layers: expected a list, got an object",
        ),
        (entry("manifest.json", b'[{"Config":"c"}]').encode() + END, "'c' is not in the archive"),
        (docker_archive_with({"c": b"{}"}, [{"Config": "c"}]), "no rootfs"),
        (docker_archive_with({"c": b"\xff\xfe"}, [{"Config": "c"}]), "invalid JSON"),
        (docker_archive(), "has no layers"),
        (entry("repositories", b"{}").encode() + END, "Docker before 1.10"),
    ],
)
def test_file_that_is_no_image(lamella: Lamella, work: Path, content: bytes, words: str) -> None:
    """It says what was wanted and what was found, in a file and through a pipe alike."""
    name = to_file(work / "bad.tar", content)
    target = ["-o", f"docker-archive:{work}/new.tar"]
    lamella("squash", f"docker-archive:{name}", *target).failed(1, name, words)
    lamella("squash", name, *target).failed(1, words)
    lamella("squash", "-", *target, stdin=content).failed(1, words)
    assert list(state_of(work)) == ["bad.tar"]


def test_other_form_of_archive_is_named(lamella: Lamella, app: str, work: Path) -> None:
    """The way out is the other prefix."""
    name = to_file(work / "oci.tar", layout_of().tar())
    lamella("layers", f"docker-archive:{name}").failed(1, f"try oci-archive:{name}")
    app = app.partition(":")[2]
    lamella("layers", f"oci-archive:{app}").failed(1, f"try docker-archive:{app}")


def test_several_images_in_an_archive(lamella: Lamella, work: Path) -> None:
    """Which are there, and how to choose; a wrong choice is told as well."""
    name = to_file(
        work / "many.tar", several_images({"a:1": TARS[:1], "b:2": TARS, "untagged": TARS[:2]})
    )
    choices = ", ".join(f"docker-archive:{name}:{one}" for one in ("a:1", "b:2", "@2"))
    lamella("layers", name).failed(2, "has 3 images", choices)
    lamella("layers", f"docker-archive:{name}:c").failed(7, "no image 'c'", "a:1, b:2")
    lamella("layers", f"docker-archive:{name}:@3").failed(7, "@3")
    for choice, count in (("a:1", 1), ("b:2", 3), ("docker.io/library/b:2", 3), ("@2", 2)):
        ran = lamella("layers", "-m", f"docker-archive:{name}:{choice}").worked()
        assert len(ran.text.splitlines()) == count


def test_several_images_in_a_layout(lamella: Lamella, work: Path) -> None:
    """The same, with the tags of the index."""
    made = Layout()
    made.add(made.manifest(TARS), "one").add(made.manifest(TARS[:2]), "two")
    name = str(made.write(work / "layout"))
    lamella("layers", f"oci:{name}").failed(2, "has 2 images", ":one")
    lamella("layers", f"oci:{name}:three").failed(7, "no image 'three'", "one, two")
    assert len(lamella("layers", "-m", f"oci:{name}:two").worked().text.splitlines()) == 2


# --- Values that say nothing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "word"),
    [(["", "a:1"], "LAYER"), (["1", ""], "TAG"), (["--from", ""], "--from")],
)
def test_empty_values(lamella: Lamella, app: str, work: Path, values: list[str], word: str) -> None:
    """A variable of a script that is not set does not mean that all layers are squashed."""
    before = state_of(work)
    ran = lamella("squash", app, *values, "-o", f"docker-archive:{work}/new.tar")
    ran.failed(2, f"{word} is empty")
    assert state_of(work) == before


def test_a_digest_file_that_cannot_be_is_found_out_first(
    lamella: Lamella, app: str, work: Path
) -> None:
    """Nothing is published then."""
    before = state_of(work)
    for file, words in ((work / "none/digest", "no folder"), (work, "Is a directory")):
        ran = lamella("squash", app, "-o", f"oci:{work}/new", "--digestfile", str(file))
        ran.failed(1, words)
    assert state_of(work) == before


def test_files_are_not_exported_to_a_transport(lamella: Lamella, app: str) -> None:
    """It would be a file with a strange name."""
    ran = lamella("export", app, "-o", "docker-archive:files.tar")
    ran.failed(2, "try files.tar or ./docker-archive:files.tar")


# --- Layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (["4"], "no layer 4 in"),
        (["#0"], "it has layers 1 to 3"),
        (["#x"], "a number (1 to 3)"),
        (["--from", "feedfeed"], "`lamella layers` lists them"),
        (["abc"], "at least 4 hex digits"),
        (["debian:12"], "its tags: app:latest; a layer is a number (1 to 3) or an ID"),
        (["--last", "4"], "expected 1 to 3, the layers of"),
        (["--layers", "0-1"], "expected 1 to 3, the layers of"),
        (["--layers", "2-4"], "expected 1 to 3, the layers of"),
        (["--layers", "3-2"], "did you mean 2-3?"),
        (["--layers", "a-b"], "expected A-B"),
        (["--layers", "1-2", "--layers", "2-3"], "overlap"),
    ],
)
def test_layer_that_is_not_there(
    lamella: Lamella, app: str, work: Path, choice: list[str], words: str
) -> None:
    """The message says which there are."""
    lamella("squash", app, *choice, "-o", f"docker-archive:{work}/new.tar").failed(2, words)
    assert list(state_of(work)) == ["app.tar"]


def test_ambiguous_prefix_lists_the_candidates(lamella: Lamella, work: Path) -> None:
    """Two layers whose digests begin alike; a digit more settles it."""
    by_prefix: dict[str, bytes] = {}
    number = 0
    while True:
        tar = layer((f"file-{number}", b""))
        prefix = Digest.of(tar).hex[:4]
        if prefix in by_prefix:
            break
        by_prefix[prefix] = tar
        number += 1
    name = to_file(work / "alike.tar", docker_archive(by_prefix[prefix], tar))
    target = ["-o", f"docker-archive:{work}/new.tar"]
    lamella("squash", name, prefix, *target).failed(2, "ambiguous", "layers 1 (", "2 (", prefix)
    lamella("squash", name, Digest.of(tar).hex[:12], *target).worked()


def test_base_the_image_is_not_built_on(lamella: Lamella, app: str, work: Path) -> None:
    """It says how many layers they share, and offers the last of these."""
    target = ["-o", f"docker-archive:{work}/new.tar"]
    shared = layout_of([TARS[0], layer("other/")]).write(work / "shared")
    lamella("squash", app, f"oci:{shared}", *target).failed(
        2, "is not built on", "share 1 of its 2 layers", "try --from 1"
    )
    strange = layout_of([layer("other/")]).write(work / "strange")
    ran = lamella("squash", app, f"oci:{strange}", *target).failed(2, "share 0 of its 1 layers")
    assert "try" not in ran.err
    assert not (work / "new.tar").exists()


def test_base_that_can_not_be_read_is_no_unknown_layer(
    lamella: Lamella, app: str, work: Path
) -> None:
    """A place was named, so it is looked for there alone."""
    target = ["-o", f"docker-archive:{work}/new.tar"]
    lamella("squash", app, "docker-archive:nowhere.tar", *target).failed(7, "no file 'nowhere.tar'")


# --- Outputs, found out before the work -----------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-o", "docker-archive:none/new.tar"], 1, "there is no folder none"),
        (["-o", "oci-archive:none/new.tar"], 1, "there is no folder none"),
        (["-o", "oci:none/new"], 1, "there is no folder none"),
        (["-o", "docker-archive:folder"], 1, "Is a directory"),
        (["-o", "oci:full"], 1, "neither empty nor an OCI image layout"),
        (["-o", "oci:full/file"], 1, "file is no folder"),
        (["-o", "oci:broken"], 1, "invalid JSON"),
        (["-o", "docker-archive:new.tar:Bad-Tag"], 2, "Bad-Tag"),
        (["-o", "docker-archive:new.tar", "-t", "Bad-Tag"], 2, "Bad-Tag"),
        (["-o", "docker-archive:new.tar", "--created", "yesterday"], 2, "yesterday"),
        (["-o", "docker-archive:new.tar", "--compression", "lzma"], 2, "lzma"),
        (["-o", "docker-archive:new.tar", "--platform", "linux"], 2, "linux"),
        (["-o", "docker-archive:new.tar", "--last", "1", "#1"], 2, "exclude each other"),
        (["-o", "docker-archive:new.tar", "--tmp-dir", "none"], 2, "--tmp-dir none"),
        (["-o", "docker-archive:new.tar", "--tmp-dir", "full/file"], 2, "--tmp-dir full/file"),
        (["-o", "docker-archive:-", "--json"], 2, "-o FILE"),
        (["-o", "docker-archive:new.tar", "--message", "\udcff"], 2, r"got '\udcff'"),
        (["-o", "oci:new:\udcff"], 2, r"expected UTF-8, got '\udcff'"),
    ],
)
def test_what_can_not_work_is_found_out_before_anything_is_read(
    work: Path, tmp: Path, arguments: list[str], code: int, words: str
) -> None:
    """The image comes through a pipe that says nothing: who waits for it hangs."""
    (work / "folder").mkdir()
    (work / "full").mkdir()
    (work / "full/file").write_bytes(b"")
    layout_of().write(work / "broken")
    (work / "broken/index.json").write_bytes(b"{")
    before = state_of(work)
    reading_nothing("squash", "-", *arguments, tmp=tmp, cwd=work).failed(code, words)
    assert state_of(work) == before


def test_folder_without_permission(app: str, work: Path, tmp: Path) -> None:
    """Root drops what lets it write everywhere."""
    (work / "locked").mkdir(mode=0o500)
    drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--") if not os.geteuid() else ()
    if drop and subprocess.run([*drop, "true"], check=False, capture_output=True).returncode:
        pytest.skip("setpriv can't drop capabilities here")
    for target in ("docker-archive:locked/new.tar", "oci:locked/new", "oci:locked"):
        ran = run("squash", app, "-o", target, tmp=tmp, cwd=work, before=drop)
        ran.failed(1, target.partition(":")[2], "Permission denied")


def test_archive_is_not_written_to_a_terminal(app: str, tmp: Path) -> None:
    """It would ruin it; a dry run writes none."""
    terminal, ours = os.openpty()
    with os.fdopen(terminal, "rb"), os.fdopen(ours, "wb") as stdout:
        for output in ("-", "oci-archive:-"):
            process = start("squash", app, "-o", output, tmp=tmp, stdout=stdout)
            _, err = process.communicate(timeout=patience(60))
            Ran(process.returncode, b"", err.decode()).failed(2, "terminal", "-o FILE")
        process = start("squash", app, "-o", "-", "--dry-run", tmp=tmp, stdout=stdout)
        process.communicate(timeout=patience(60))
        assert process.returncode == 0


def test_file_without_destination_is_asked_where_to(lamella: Lamella, app: str) -> None:
    """An archive is not overwritten unasked."""
    name = app.removeprefix("docker-archive:").removesuffix(".tar")
    lamella("squash", app).failed(2, "no destination", f"the new image goes: -o {name}-slim.tar")


def test_zstd_is_refused_where_docker_can_not_load_it(
    lamella: Lamella, app: str, work: Path
) -> None:
    """Docker 20.10 is still in use."""
    target = ["-o", f"docker-archive:{work}/new.tar", "--compression", "zstd"]
    lamella("squash", app, *target).failed(1, "zstd", "gzip", "oci-archive:")
    assert list(state_of(work)) == ["app.tar"]


# --- Names that could be two things ---------------------------------------------------------------


def test_path_and_prefix_settle_what_a_name_means(
    lamella: Lamella, app: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """./name and docker-archive:name are the file, docker-daemon:name is the engine's image."""
    monkeypatch.chdir(work)
    for name in (
        "./app.tar",
        "docker-archive:app.tar",
        "docker-archive:./app.tar",
        str(work / "app.tar"),
    ):
        assert len(lamella("layers", "-m", name).worked().text.splitlines()) == 3


def test_daemon_prefix_is_the_engine_even_if_there_is_a_file(
    app: str, work: Path, tmp: Path
) -> None:
    """There is no engine here, which is what it says."""
    run("layers", "docker-daemon:app.tar", tmp=tmp, cwd=work).failed(5, "Docker")


def test_file_name_with_a_colon_is_found(lamella: Lamella, app: str, work: Path) -> None:
    """A file that exists under the whole name has no tag; behind it a tag may follow."""
    Path(app.partition(":")[2]).rename(work / "app:1.tar")
    for name in ("app:1.tar", "app:1.tar:app:latest"):
        lamella("layers", f"docker-archive:{work}/{name}").worked()
    lamella("layers", f"docker-archive:{work}/app:1.tar:b").failed(7, "no image 'b'")
