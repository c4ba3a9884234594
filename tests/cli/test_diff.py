"""``lamella diff``: what changed, told path by path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.support.images import docker_archive
from tests.support.platforms import three_platforms
from tests.support.tars import Entry, entry, folder, layer, link, symlink, whiteout
from tests.transport.forms import Layout

BASE = layer(
    *("etc/", entry("etc/conf", b"one\ntwo\n"), entry("etc/binary", b"\0\1")),
    *("gone/", "gone/a", "gone/b", entry("big", b"x" * (1 << 19) + b"y"), "same", "to-folder"),
)
ABOVE = layer(
    *(entry("etc/conf", b"one\n\x1b[2Jthree"), entry("etc/binary", b"\0\2"), whiteout("gone")),
    *("new/", "new/deep/", entry("new/deep/file", b"1234"), entry("same", mode=0o600)),
    *(folder("to-folder"), "to-folder/inside", entry("big", b"z")),
)


@pytest.fixture
def pair(work: Path) -> tuple[str, str]:
    """Two images, of which one was made of the other."""
    (work / "a.tar").write_bytes(docker_archive(BASE))
    (work / "b.tar").write_bytes(docker_archive(BASE, ABOVE))
    return f"{work}/a.tar", f"{work}/b.tar"


def test_each_path_is_a_line(lamella: Lamella, pair: tuple[str, str]) -> None:
    """A directory that is new, or gone, or in place of a file, takes one with all in it."""
    ran = lamella("diff", *pair).worked(4)
    assert [" ".join(line.split()) for line in ran.text.splitlines()] == [
        "C 524 kB → 1 B /big: content",
        "C 2 B /etc/binary: content",
        "C 8 B → 13 B /etc/conf: content",
        "D /gone/: 3 entries",
        "A 4 B /new/: 3 entries",
        "C 0 B /same: mode 0644 → 0600",
        "C /to-folder/: type file → directory, 2 entries",
    ]
    assert "4 added (4 B), 3 removed (0 B), 5 changed (-524 kB)" in ran.err
    assert "4 added" not in lamella("diff", "-q", *pair).worked(4).err


def test_nothing_changed_is_exit_0(lamella: Lamella, pair: tuple[str, str]) -> None:
    """However the layers are cut; and nothing is on standard output."""
    squashed = str(Path(pair[1]).with_name("c.tar"))
    lamella("squash", pair[1], "-o", squashed).worked()
    ran = lamella("diff", pair[1], squashed).worked(0)
    assert (ran.out, ran.err.endswith(": the same\n")) == (b"", True)
    document = json.loads(lamella("diff", *pair[:1], pair[0], "--json").worked().out)
    assert (document["equal"], document["changes"], document["shared_layers"]) == (True, [], 1)


def test_content_is_a_unified_diff(lamella: Lamella, pair: tuple[str, str]) -> None:
    """Of small text; control characters do nothing to a terminal. Of all else a line says why."""
    wanted = ("etc/conf", "/new/deep/file", "etc/binary", "big", "same", "to-folder")
    options = [option for path in wanted for option in ("--content", path)]
    text = lamella("diff", *pair, *options).worked(4).text.partition("\n\n")[2]
    assert "/etc/conf:\n--- a/etc/conf\n+++ b/etc/conf\n@@ -1,2 +1,2 @@\n one\n-two\n" in text
    assert "+\\x1b[2Jthree (no line end)\n" in text
    assert "--- /dev/null\n+++ b/new/deep/file\n@@ -0,0 +1 @@\n+1234 (no line end)\n" in text
    assert "/etc/binary: in the first image it is binary: 2 bytes" in text
    assert "/big: in the first image it is too large to be shown: 524289 bytes" in text
    assert "/same: the same content" in text
    assert "/to-folder: in the second image it is a directory" in text
    lamella("diff", *pair, "--content", "nowhere").failed(2, "neither image has /nowhere")


def test_a_file_of_very_many_lines_is_not_compared(lamella: Lamella, work: Path) -> None:
    """Comparing takes the square of their number."""
    for name, line in (("a", b"1\n"), ("b", b"2\n")):
        content = b"".join(line + b"%d\n" % number for number in range(3000))
        (work / name).write_bytes(docker_archive(layer(entry("f", content))))
    ran = lamella("diff", f"{work}/a", f"{work}/b", "--content", "f").worked(4)
    assert "/f: too many lines to be compared: 6000, at most 5000" in ran.text


def test_document_has_every_path(lamella: Lamella, pair: tuple[str, str]) -> None:
    """With sizes and sums; those in a new directory, too."""
    document = json.loads(lamella("diff", *pair, "--json", "--ignore", "mode").worked(4).out)
    paths = {change["path"]: change for change in document["changes"]}
    assert paths["new/deep/file"] == {
        "path": "new/deep/file",
        "change": "added",
        "type": "file",
        "before": 0,
        "after": 4,
        "differences": [],
    }
    assert paths["etc/conf"]["differences"] == [{"what": "size", "ours": 8, "theirs": 13}]
    assert "same" not in paths
    assert document["ignored"] == {"mode": 1}
    assert document["added"] == {"count": 4, "bytes": 4}
    assert document["removed"] == {"count": 3, "bytes": 0}
    assert document["shared_layers"] == 1


def test_sums_by_directory(lamella: Lamella, pair: tuple[str, str]) -> None:
    """A table; the document has the sizes already."""
    text = lamella("diff", *pair, "--stat").worked(4).text
    assert [" ".join(line.split()) for line in text.splitlines()[1:]] == [
        *("1 0 B 1 0 B 3 -524 kB /", "2 +5 B /etc", "2 0 B /gone"),
        *("1 0 B /new", "1 4 B /new/deep", "1 0 B /to-folder"),
    ]
    lamella("diff", *pair, "--stat", "--json").failed(2, "--stat and --json")


def test_layers_of_one_image(lamella: Lamella, pair: tuple[str, str]) -> None:
    """What they changed is what the image with them has otherwise than the image below them."""
    both = lamella("diff", *pair).worked(4).text
    assert lamella("diff", pair[1], "--layers", "2").worked(4).text == both
    first = lamella("diff", pair[1], "--layers", "1").worked(4).text
    assert "A" in first
    assert not any(line.startswith(("D", "C")) for line in first.splitlines())
    lamella("diff", pair[1], "--layers", "2-3").failed(2, "--layers 2-3: expected 1 to 2")
    lamella("diff", pair[1]).failed(2, "expected two images, or one image and --layers")
    lamella("diff", *pair, "--layers", "1").failed(2, "expected two images, or one image")


def test_config_fields_are_told_without_secrets(lamella: Lamella, work: Path) -> None:
    """One by one, as verify tells them."""
    for name, value in (("a", "one-secret"), ("b", "two-secret")):
        made = Layout()
        config = {"Env": [f"API_TOKEN={value}", f"A={name}"]}
        made.add(made.manifest(config={"config": config})).write(work / name)
    ran = lamella("diff", f"oci:{work}/a", f"oci:{work}/b").worked(4)
    assert ran.text == "config Env.A: a → b\nconfig Env.API_TOKEN: (hidden) → (hidden)\n"
    found = lamella("diff", f"oci:{work}/a", f"oci:{work}/b", "--json").worked(4).text
    assert "secret" not in found
    lamella("diff", f"oci:{work}/a", f"oci:{work}/b", "--ignore", "config").worked()


def test_further_names_of_a_file_have_no_bytes(lamella: Lamella, work: Path) -> None:
    """They would be counted twice; symlinks have none either."""
    tars = layer(), layer(entry("a", b"123"), link("b", "a"), symlink("c", "a"))
    for name, tar in zip("ab", tars, strict=True):
        (work / name).write_bytes(docker_archive(tar))
    assert "3 added (3 B)" in lamella("diff", f"{work}/a", f"{work}/b").worked(4).err


def test_names_do_nothing_to_a_terminal(lamella: Lamella, work: Path) -> None:
    """Neither paths nor values."""
    strange = Entry(b"\x1b[2J\xff", xattrs={b"user.\x1b": b"\x1b"})
    (work / "a").write_bytes(docker_archive(layer()))
    (work / "b").write_bytes(docker_archive(layer(strange)))
    (work / "c").write_bytes(docker_archive(layer(Entry(b"\x1b[2J\xff"))))
    for other in "ac":
        ran = lamella("diff", f"{work}/{other}", f"{work}/b", "--content", "\x1b[2J\udcff").worked(
            4
        )
        assert "\x1b" not in ran.text
        assert "/\\x1b[2J\\xff" in ran.text


def test_every_platform_by_itself(lamella: Lamella, work: Path) -> None:
    """Each with its name; one that only one index has is a difference, too."""
    one, other = three_platforms(), three_platforms()
    changed = other.layout.manifest([layer("changed")], config={"architecture": "arm64"})
    arm64 = {**changed, "platform": {"os": "linux", "architecture": "arm64"}}
    one.layout.entries[:] = []
    other.layout.entries[:] = []
    one.layout.add(one.layout.index(one.images["amd64"], one.images["arm64"]), "app")
    other.layout.add(other.layout.index(other.images["amd64"], arm64, other.images["arm"]), "app")
    names = [f"oci:{made.layout.write(work / n)}:app" for n, made in (("a", one), ("b", other))]
    ran = lamella("diff", *names, "--platform", "all").worked(4)
    assert ran.text.startswith("linux/amd64:\nlinux/arm64:\n")
    assert "/changed" in ran.text
    assert ran.text.endswith("linux/arm/v7:\nlinux/arm/v7: only in the second one\n")
    assert "1 platform of only one" in ran.err
    document = json.loads(lamella("diff", *names, "--platform", "all", "--json").worked(4).out)
    assert [one["equal"] for one in document["platforms"]] == [True, False, False]
    assert document["platforms"][2]["config"][0]["platform"] == "linux/arm/v7"
    lamella("diff", names[0], "--layers", "1", "--platform", "all").failed(2, "--layers compares")


def test_page_has_both_trees(lamella: Lamella, pair: tuple[str, str], work: Path) -> None:
    """In a file beside the lines, or on standard output in their place."""
    lines = lamella("diff", *pair).worked(4).text
    assert lamella("diff", *pair, "--html", f"{work}/page.html").worked(4).text == lines
    page = (work / "page.html").read_text(encoding="utf-8")
    assert "<bdi>/new</bdi>" not in page, "a directory that is new is a line of its parent"
    assert "<bdi>new/</bdi>" in page
    assert lamella("diff", *pair, "--html", "-").worked(4).text == page
    lamella("diff", *pair, "--html", "-", "--json").failed(2, "both write to standard output")
    lamella("diff", *pair, "--html", f"{work}/none/page.html").failed(1, "none")
