"""The file at hand: what is told of it, and what can be done with it."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path

import pytest

from lamella.cli.explore.viewer import hex_line, is_text
from tests.explore.piloting import Screen, explore
from tests.properties.reference import differences, flatten
from tests.support.images import docker_archive, made_by
from tests.support.tars import entry, folder, layer, link, symlink, whiteout

SCRIPT = b"#!/bin/sh\n" + b"".join(b"echo line %d\n" % n for n in range(50_000))
LAYERS = (
    layer(
        folder("d"),
        entry("d/run", SCRIPT, mode=0o755, uid=0),
        link("d/same", "d/run"),
        symlink("d/link", "\x1b[31mrun"),
        entry("d/bytes", bytes(range(256)) * 10, xattrs={b"user.a": b"kept", b"user.raw": b"\0"}),
        entry("d/old", b"old"),
        entry("d/touched", b"t" * 10),
    ),
    layer(
        entry("d/run", SCRIPT, mode=0o4700, uid=1000, gid=7),
        whiteout("d/old"),
        entry("d/touched", b"T" * 10),
        entry("d/new\x1b[2J", b"\x1b[31mred\ttab\r\n\xc3\xa9nd"),
    ),
)
COMMAND = "RUN set -e; " + "; ".join(f"echo step {n} of a long command" for n in range(40))


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An image of two layers, in the working folder."""
    steps = made_by("FROM scratch", "(ENV TOKEN=b)", COMMAND)
    (tmp_path / "app.tar").write_bytes(docker_archive(*LAYERS, history=steps))
    monkeypatch.chdir(tmp_path)
    return "app.tar"


async def go_to(screen: Screen, name: str, number: int = 2) -> None:
    """Search a name in a layer, and go to it."""
    await screen.press("g", *["j"] * number)
    await screen.sees(f"Files of layer {number}" if number else "Files of the image")
    await screen.press("slash")
    await screen.type(name)
    await screen.sees("Found: 1")
    await screen.press("enter", "enter")
    await screen.misses("Search ─")


@pytest.mark.slow
def test_what_changed_is_told(image: str) -> None:
    """Attribute by attribute, beside the tree; the content is compared."""

    async def script(screen: Screen) -> None:
        await go_to(screen, "run")
        await screen.sees(
            "/d/run",
            "-rws------ 1000:7 789 kB 2020-09-13 12:26",
            "mode 0755 → 4700, owner 0:0 → 1000:7",
        )
        assert "content" not in screen.line("mode 0755")
        await screen.press("shift+tab")
        await go_to(screen, "touched")
        await screen.sees("/d/touched")
        assert screen.line(" content").strip("│┃ ").endswith("content")
        await screen.press("shift+tab")
        await go_to(screen, "old")
        await screen.sees("deleted in this layer")
        await screen.press("shift+tab")
        await go_to(screen, "new")
        await screen.sees("new in this layer", r"/d/new\x1b[2J")

    explore(image, script)


@pytest.mark.slow
def test_details_have_all_attributes(image: str) -> None:
    """Also extended ones, exact times, where a link leads, and the whole of a name."""

    async def script(screen: Screen) -> None:
        await go_to(screen, "bytes", 0)
        await screen.sees("xattrs: user.a, user.raw")
        await screen.press("d")
        await screen.sees(
            "path    /d/bytes",
            "mode    -rw-r--r-- 0644",
            "size    2,560 B",
            "time    2020-09-13T12:26:40Z",
            'xattr   user.a = "kept"',
            "xattr   user.raw = 00",
            "layer   1",
        )
        await screen.press("escape", "shift+tab")
        await go_to(screen, "link", 1)
        await screen.press("d")
        await screen.sees(r"target  \x1b[31mrun", "change  new in this layer")
        assert "\x1b" not in screen.text

    explore(image, script)


def test_a_layer_shows_its_whole_command(image: str) -> None:
    """Wrapped, to its last word; the image's line shows its config."""

    async def script(screen: Screen) -> None:
        await screen.press("j", "j")
        await screen.sees("Files of layer 2")
        await screen.press("d")
        await screen.sees("layer    2 of 2", "RUN set -e; echo step 0 of a long command")
        await screen.press("G")
        await screen.sees("39 of a long command")
        await screen.press("escape", "g", "d")
        await screen.sees("History, oldest first")

    explore(image, script)


def test_values_that_are_called_secrets_are_hidden(image: str) -> None:
    """As on the page; a key shows them, and hides them again."""

    async def script(screen: Screen) -> None:
        await screen.press("i")
        await screen.sees("ENV TOKEN=(hidden)", "r: show hidden values")
        await screen.press("r")
        await screen.sees("ENV TOKEN=b", "r: hide hidden values")
        await screen.press("r")
        await screen.sees("ENV TOKEN=(hidden)")
        await screen.press("escape", "j", "d")
        await screen.sees("layer    1 of 2")
        assert "hidden" not in screen.text

    explore(image, script, (100, 50))


def test_long_values_go_on_below_their_beginning(image: str) -> None:
    """Not below the names; a command goes on two columns further in."""

    async def script(screen: Screen) -> None:
        await screen.press("j", "j")
        await screen.sees("Files of layer 2")
        await screen.press("d")
        await screen.sees("diff ID  sha256:")
        at = screen.lines.index(screen.line("diff ID"))
        column = screen.lines[at].index("sha256:")
        assert screen.lines[at + 1][:column].rpartition("┃")[2].strip() == ""
        assert screen.lines[at + 1][column].isalnum()
        command = screen.lines.index(screen.line("RUN set -e; echo"))
        column = screen.lines[command].index("RUN set")
        assert screen.lines[command + 1][column : column + 3].rstrip(" ").startswith("  ")

    explore(image, script, (60, 40))


def test_the_config_is_shown(image: str) -> None:
    """How a container starts; each step of the history in full, with its layer."""

    async def script(screen: Screen) -> None:
        await screen.press("i")
        await screen.sees('Cmd          ["/bin/true"]', "Environment", "  A=b")
        assert " 1  FROM scratch" in screen.text
        await screen.press("G")
        await screen.sees("echo step 39 of")
        await screen.press("q")
        await screen.misses("Environment")

    explore(image, script, (100, 50))


@pytest.mark.slow
def test_text_is_viewed(image: str) -> None:
    """Line by line, safe, as far as one scrolls; hard links lead to their file."""

    async def script(screen: Screen) -> None:
        await go_to(screen, "new")
        await screen.press("v")
        await screen.sees(r"\x1b[31mred", r"tab\r", "énd", "text, ")
        await screen.press("escape", "shift+tab")
        await go_to(screen, "same", 1)
        await screen.press("v")
        await screen.sees("#!/bin/sh", "echo line 3")
        for _ in range(20):
            await screen.press("G")
            await screen.pilot.pause(0.05)
        await screen.sees("echo line 49999")
        await screen.press("q")
        await screen.misses("echo line")

    explore(image, script)


def test_bytes_are_viewed_in_hex(image: str) -> None:
    """As hexdump shows them; t turns to text and back."""

    async def script(screen: Screen) -> None:
        await go_to(screen, "bytes", 1)
        await screen.press("v")
        await screen.sees(
            "00000020  20 21 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f  | !\"#$%&'()*+,-./|",
            "hex, 2.56 kB",
        )
        await screen.press("t")
        await screen.sees(r"\x00\x01\x02", "text, ")
        await screen.press("t", "G")
        await screen.sees("000009f0  f0 f1")

    explore(image, script)


def test_hex_fits_80_columns(image: str) -> None:
    """All sixteen letters of a line are seen, without bars."""

    async def script(screen: Screen) -> None:
        await go_to(screen, "bytes", 1)
        await screen.press("v")
        await screen.sees("28 29 2a 2b 2c 2d 2e 2f   !\"#$%&'()*+,-./", "hex, 2.56 kB")

    explore(image, script, (80, 24))


def test_what_has_no_content_is_said(image: str) -> None:
    """A directory and a symlink can't be viewed."""

    async def script(screen: Screen) -> None:
        await go_to(screen, "link", 1)
        await screen.press("v")
        await screen.sees("link is not a file: it has no content to view")
        await screen.press("x")
        await screen.sees("link is not a file: it has no content to save")

    explore(image, script)


@pytest.mark.slow
def test_a_file_is_saved(image: str, tmp_path: Path) -> None:
    """Where one says; one that is there is replaced only by a second Enter."""

    async def script(screen: Screen) -> None:
        await go_to(screen, "run")
        await screen.press("x")
        await screen.sees("Save", "/d/run, ")
        await screen.press("enter")
        await screen.sees("run: 789 kB written")
        await screen.press("enter")
        assert (tmp_path / "run").read_bytes() == SCRIPT
        (tmp_path / "run").write_bytes(b"mine")
        await screen.press("x", "enter")
        await screen.sees("run exists; press Enter again to replace it")
        assert (tmp_path / "run").read_bytes() == b"mine"
        await screen.press("enter")
        await screen.sees("run: 789 kB written")
        assert (tmp_path / "run").read_bytes() == SCRIPT
        await screen.press("escape", "x", *["backspace"] * 3)
        await screen.type("no/such")
        await screen.press("enter")
        await screen.sees("can't write no/such: there is no folder no")

    explore(image, script)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_folder_is_saved_as_a_tar(image: str, tmp_path: Path, number: int) -> None:
    """As it is after that layer: attributes and hard links kept, nothing deleted in it."""

    async def script(screen: Screen) -> None:
        await screen.press(*["j"] * number)
        await screen.sees(f"Files of layer {number}" if number else "Files of the image")
        await screen.press("tab", "x", "enter")
        await screen.sees("d.tar: ", " written")

    explore(image, script)
    tar = (tmp_path / "d.tar").read_bytes()
    assert differences(flatten([tar]), flatten(LAYERS[: number or 2])) == []
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        assert opened.getnames()[0] == "d"


@pytest.mark.parametrize("columns", [80, 120])
def test_what_can_be_done_is_told_below_the_files(image: str, columns: int) -> None:
    """Also in the narrowest terminal, and where a search found them; with room, the order, too."""
    keys = "e Exclude  v View  x Save  y Copy"

    async def script(screen: Screen) -> None:
        await screen.sees(
            f"{keys}{'  d Details  o Sort: change' if columns > 80 else '  o Sort ─╯'}"
        )
        await screen.press("slash")
        await screen.type("run")
        await screen.sees("Found: 1", f"{keys} ─╯")

    explore(image, script, (columns, 24))


def test_a_path_is_copied(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the terminal, which gets no more than the path as it is shown."""
    sent: list[str] = []

    async def script(screen: Screen) -> None:
        await go_to(screen, "new")
        driver = screen.app._driver  # noqa: SLF001 - what goes to the terminal
        assert driver is not None
        monkeypatch.setattr(driver, "write", sent.append)
        await screen.press("y")
        await screen.sees(r"copied: /d/new\x1b[2J")

    explore(image, script)
    told = [text for text in sent if "]52;" in text]
    path = base64.b64encode(rb"/d/new\x1b[2J").decode()
    assert told == [f"\x1b]52;c;{path}\a"]


def test_rows_are_sorted(image: str) -> None:
    """By change, size, or name."""

    async def names(screen: Screen) -> list[str]:
        await screen.pilot.pause(0.1)
        words = ("run", "same", "bytes", "old", "touched", "link")
        rows = [line.split("┃")[1] for line in screen.lines if line.count("┃") > 1]
        return [word for row in rows for word in words if f" {word} " in row.replace("→", " ")]

    async def script(screen: Screen) -> None:
        await screen.press("tab", "enter")
        await screen.sees("touched", "o Sort: change")
        await screen.press("o")
        await screen.sees("o Sort: size")
        by_size = await names(screen)
        assert by_size[:2] == ["run", "bytes"] or by_size[:3] == ["run", "same", "bytes"]
        await screen.press("o")
        await screen.sees("o Sort: name")
        assert await names(screen) == sorted(await names(screen))
        await screen.press("o")
        await screen.sees("o Sort: change")

    explore(image, script)


def test_secrets_are_listed(demo: str) -> None:
    """Each with the layers that made and removed it; Enter goes there."""

    async def script(screen: Screen) -> None:
        await screen.press("p")
        await screen.sees("5 → 6    private key", "/root/.ssh/id_rsa")
        await screen.press("enter")
        await screen.sees("Files of layer 5", "+       id_rsa", "/root/.ssh/id_rsa")

    explore(demo, script)


def test_no_secrets(image: str) -> None:
    """It is said."""

    async def script(screen: Screen) -> None:
        await screen.press("p")
        await screen.sees("No file of any layer looks like a secret.")

    explore(image, script)


@pytest.mark.parametrize(
    ("start", "text"),
    [(b"", True), (b"a\n", True), ("é".encode(), True), (b"ab\xc3", True), (b"\xe9t", False)],
)
def test_what_is_text(start: bytes, text: bool) -> None:
    """UTF-8 without NUL; the end may be in the middle of a letter."""
    assert is_text(start) is text
    assert not is_text(start + b"\0")


def test_the_last_line_of_hex_is_short() -> None:
    """Columns stay where they are."""
    assert hex_line(b"AB\n", 16) == "00000010  41 42 0a" + " " * 42 + "|AB.|"
