"""``lamella analyze``: one screen, one document."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lamella.analysis.model import Saving
from lamella.report.analyze import best_savings
from tests.analysis.looking import analyze
from tests.cli.conftest import Lamella
from tests.cli.running import COMMAND, environment
from tests.cli.waste import LAYERS
from tests.support.images import docker_archive
from tests.support.tars import layer, whiteout
from tests.transport.forms import TARS, compress, layout_of


def on_terminal(tmp: Path, *args: str, **more: str) -> str:
    """Run a command on a terminal of 80 columns; return what that got."""
    master, slave = pty.openpty()
    env = environment(tmp, {"COLUMNS": "80", "TERM": "xterm", **more})
    command = [str(COMMAND), *args, "--progress", "none"]
    with subprocess.Popen(command, env=env, stdout=slave, stderr=subprocess.PIPE) as process:
        os.close(slave)
        got = b""
        while chunk := _read(master):
            got += chunk
        assert process.stderr is not None
        assert process.stderr.read() == b""
    os.close(master)
    assert process.returncode == 0
    return got.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux's way to say that nobody writes any more
        return b""


def test_screen(lamella: Lamella, in_work: str) -> None:
    """The whole of it, to the blank."""
    golden = Path(__file__).with_name("golden") / "analyze.txt"
    text = lamella("analyze", in_work).worked().text
    assert text == golden.read_text(encoding="utf-8")


def test_screen_fits_a_terminal(lamella: Lamella, in_work: str) -> None:
    """80 columns, whatever is in names; the command to type may be longer."""
    lines = lamella("analyze", in_work).worked().text.splitlines()
    wide = sum(line.count("\N{CJK UNIFIED IDEOGRAPH-6A21}") for line in lines)
    assert wide
    assert max(len(line) for line in lines if "lamella squash" not in line) <= 80
    assert all(line.isprintable() for line in lines)


def test_long_paths_are_cut_at_the_front(lamella: Lamella, work: Path) -> None:
    """Of what is dead and of secrets: their end says more."""
    deep = "a-long-name/" * 9
    tar = layer(
        f"{deep}kept", (f"{deep}file", b"x"), *((f"{deep}dir/{n}", b"y" * 999) for n in range(3))
    )
    key = layer((f"{deep}.ssh/id_rsa", b"key"), whiteout(f"{deep}file"), whiteout(f"{deep}dir"))
    (work / "deep.tar").write_bytes(docker_archive(tar, key))
    lines = lamella("analyze", f"{work}/deep.tar").worked().text.splitlines()[1:-1]
    assert max(map(len, lines)) <= 80
    end = next(n for n, line in enumerate(lines) if "change in the build" in line)
    cut = [line.rpartition("…")[2] for line in lines[:end] if "…" in line]
    assert [path.rpartition("-long-name/")[2] for path in cut] == [
        "dir/  (3 entries)",
        "file",
        ".ssh/id_rsa",
    ]


def test_a_wide_terminal_shows_more(lamella: Lamella, tmp: Path, work: Path) -> None:
    """The whole path; a narrow one gets as much as a file does."""
    deep = "a-long-name/" * 9
    image = str(work / "deep.tar")
    tar = layer((f"{deep}file", b"x" * 999))
    Path(image).write_bytes(docker_archive(tar, layer(whiteout(f"{deep}file"))))
    assert f" /{deep}file\n" in on_terminal(tmp, "analyze", image, NO_COLOR="1", COLUMNS="200")
    text = lamella("analyze", image).worked().text
    assert f" /{deep}file\n" not in text
    assert on_terminal(tmp, "analyze", image, NO_COLOR="1", COLUMNS="40") == text


def test_many_layers_take_one_screen(lamella: Lamella, work: Path) -> None:
    """The smallest are told together, where they are."""
    tars = [layer((f"f{n}", b"x" * (1000 * (n % 7) + n))) for n in range(60)]
    (work / "many.tar").write_bytes(docker_archive(*tars))
    lines = lamella("analyze", f"{work}/many.tar").worked().text.splitlines()
    assert len(lines) <= 40
    assert sum(bool(re.match(r" +\d+ {2,}\d", line)) for line in lines) == 15
    together = [line for line in lines if "smaller layer" in line]
    counts = [int(line.partition("(")[2].partition(" ")[0]) for line in together]
    assert sum(counts) == 45


def test_nothing_dead(lamella: Lamella, work: Path) -> None:
    """One layer: nothing to squash, no secrets; said in words."""
    (work / "one.tar").write_bytes(docker_archive(TARS[0]))
    text = lamella("analyze", f"{work}/one.tar").worked().text
    assert "nothing is dead: no layer deletes" in text
    assert "no secrets found\n  not checked for secrets: binary files and files over" in text
    assert "no squash would make it smaller" in text
    assert "lamella squash" not in text


@pytest.mark.parametrize(
    ("make", "target"),
    [
        (lambda work: str(_file(work / "a.tar")), "-t test:slim -o {work}/a-slim.tar"),
        (lambda work: f"oci:{layout_of(LAYERS).write(work / 'lay')}", "-o oci:{work}/lay:slim"),
        (lambda work: str(layout_of(LAYERS).write(work / "lay")), "-o oci:{work}/lay:slim"),
        (
            lambda work: f"oci-archive:{_file(work / 'o.tar', layout_of(LAYERS).tar())}",
            "-o {work}/o-slim.tar",
        ),
    ],
)
def test_command_to_type_works(
    lamella: Lamella, work: Path, make: Callable[[Path], str], target: str
) -> None:
    """It saves what was promised, to the byte, and goes to a new place."""
    reference = make(work)
    typed = lamella("analyze", reference).worked().text.splitlines()[-1].split()
    assert typed[:3] == ["lamella", "squash", reference]
    assert " ".join(typed[5:]) == target.format(work=work)
    promised = json.loads(lamella("analyze", reference, "--json").worked().out)["squashes"]
    first, last = map(int, typed[4].split("-"))
    [saved] = [s["saved"] for s in promised if (s["first"], s["last"]) == (first, last)]
    done = json.loads(lamella(*typed[1:], "--json").worked().out)
    assert done["bytes"]["before"] - done["bytes"]["after"] == saved
    assert done["image"]["tags"] or reference.startswith("oci-archive:")


def test_command_to_type_has_the_platform(lamella: Lamella, image: str) -> None:
    """The one that was asked for: others have other layers."""
    typed = lamella("analyze", image, "--platform", "linux/amd64").worked().text.splitlines()[-1]
    assert " --layers 1-5 --platform linux/amd64 -t waste:slim -o " in typed


def _file(path: Path, content: bytes = b"") -> Path:
    path.write_bytes(content or docker_archive(*LAYERS))
    return path


def test_best_squashes_touch_fewer_layers_each(lamella: Lamella, image: str) -> None:
    """The first saves most of all, the others nine tenths and half of that."""
    document = json.loads(lamella("analyze", image, "--json").worked().out)
    by_range = {(s["first"], s["last"]): s["saved"] for s in document["squashes"]}
    lines = lamella("analyze", image).worked().text.splitlines()
    ranges = [line.split("--layers ")[1].split()[0] for line in lines if "--layers" in line][:-1]
    shown = [(int(a), int(b)) for a, _, b in (text.partition("-") for text in ranges)]
    most = max(by_range.values())
    assert by_range[shown[0]] == most
    assert len(shown) == 2
    assert all(by_range[found] >= most / 2 for found in shown)
    counts = [last - first for first, last in shown]
    assert counts == sorted(counts, reverse=True)


def test_best_squash_of_several() -> None:
    """Of those that save enough the shortest; of these the one that saves most, then the upper."""

    def best(**saved: int) -> list[tuple[int, int]]:
        numbers = {tuple(map(int, key[1:].split("_"))): size for key, size in saved.items()}
        savings = {
            (first, last): Saving(first, last, 10_000, 10_000 - size)
            for (first, last), size in numbers.items()
        }
        found = replace(analyze(TARS[0], TARS[1]), savings=savings)
        return [(saving.first, saving.last) for saving in best_savings(found)]

    assert best(r1_4=1000, r1_3=1000, r2_4=1000, r1_2=100) == [(2, 4)]
    assert best(r1_4=1000, r1_3=900, r2_4=950, r1_2=500, r3_4=499) == [(1, 4), (2, 4), (1, 2)]
    assert best(r1_2=-10, r2_3=0) == []


def test_json_is_one_document(lamella: Lamella, image: str) -> None:
    """All that is known, with the sums of the layers."""
    found = json.loads(lamella("analyze", image, "--json").worked().out)
    assert (found["version"], found["reference"], found["tags"]) == (1, image, ["waste:1"])
    assert found["bytes"]["total"] == sum(map(len, LAYERS))
    dead = sum(sum(one["dead"].values()) for one in found["layers"])
    assert found["bytes"]["dead"] == dead
    assert found["dead"][0] == {
        "path": "var/lists",
        "directory": True,
        "bytes": 5 * (512 + 40_448) + 512,
        "entries": 6,
        "layer": 2,
        "removed_by": 5,
        "cause": "deleted",
    }
    assert "metadata_only" in {row["cause"] for row in found["dead"]}
    assert found["secrets"] == [
        {
            "path": "root/.ssh/id_rsa",
            "kind": "private key",
            "layer": 4,
            "removed_by": 5,
            "where": "file",
            "name": "",
            "shown": "",
        }
    ]
    assert len(found["squashes"]) == 10
    assert "rules" not in found


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_every_form_tells_the_same(
    lamella: Lamella, work: Path, image: str, compression: str
) -> None:
    """But for how layers are stored."""
    layout = layout_of(LAYERS, compression).write(work / "layout")
    one = json.loads(lamella("analyze", image, "--json").worked().out)
    other = json.loads(lamella("analyze", f"oci:{layout}", "--json").worked().out)
    for key in ("bytes", "dead", "secrets", "squashes", "dive"):
        assert one[key] == other[key]
    stored = [len(compress(compression, tar)) for tar in LAYERS]
    assert [found["stored"] for found in other["layers"]] == stored


def test_from_a_pipe(lamella: Lamella, image: str) -> None:
    """An archive on standard input, and what to type after that."""
    archive = Path(image.partition(":")[2]).read_bytes()
    text = lamella("analyze", "-", stdin=archive).worked().text
    assert "5 layers" in text
    assert text.splitlines()[-1].endswith("-t waste:slim -o slim.tar")


def test_secrets_are_left_out(lamella: Lamella, image: str) -> None:
    """--no-secrets-scan: said so, and null in the document."""
    text = lamella("analyze", image, "--no-secrets-scan").worked().text
    assert "secrets were not looked for" in text
    assert "likely secret" not in text
    assert "not checked" not in text
    document = lamella("analyze", image, "--no-secrets-scan", "--json").worked().out
    assert json.loads(document)["secrets"] is None


@pytest.mark.slow
def test_colours_are_for_terminals(tmp: Path, lamella: Lamella, in_work: str) -> None:
    """Not for pipes, and not for who set NO_COLOR; the text is the same."""
    text = lamella("analyze", in_work).worked().text
    assert "\x1b" not in text
    # Progress is drawn on standard error, which is none here.
    coloured = on_terminal(tmp, "analyze", in_work)
    assert "\x1b[31m" in coloured
    assert _without_colours(coloured) == text
    assert on_terminal(tmp, "analyze", in_work, NO_COLOR="1") == text


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


# --- Errors ---------------------------------------------------------------------------------------


def test_damaged_layer(lamella: Lamella, work: Path) -> None:
    """Wrong content is known by its digest, though every header is fine."""
    archive = bytearray(docker_archive(*LAYERS))
    archive[archive.index(b"m" * 90_000)] ^= 1
    (work / "bad.tar").write_bytes(archive)
    lamella("analyze", f"{work}/bad.tar").failed(1, "layer 3", "digest mismatch")


def test_missing_image(lamella: Lamella, work: Path) -> None:
    """As for any command."""
    lamella("analyze", f"docker-archive:{work}/none.tar").failed(7, "none.tar")


def test_page_is_offered_when_there_is_one(lamella: Lamella, image: str, work: Path) -> None:
    """--html is in the help only if it works."""
    text = lamella("analyze", "--help").worked().text
    if "--html" in text:
        lamella("analyze", image, "--html", f"{work}/page.html").worked()
        assert (work / "page.html").read_text(encoding="utf-8").startswith("<!")


# --- lamella layers -------------------------------------------------------------------------------


def test_layers_with_dead_shares(lamella: Lamella, image: str) -> None:
    """--dead: a table, with a bar and a percentage for each."""
    lines = lamella("layers", image, "--dead").worked().text.splitlines()
    assert [line[:3] for line in lines] == ["1  ", "2  ", "3  ", "4  ", "5  "]
    shares = [line.partition(" % dead")[0].split()[-1] if "dead" in line else "" for line in lines]
    assert shares == ["3", "100", "96", "1", ""]
    assert "░░░░░░░░" in lines[1]
    assert lines[4].endswith("waste:1  RUN rm -rf /var/lists 模型")


@pytest.mark.slow
def test_layers_on_a_terminal(tmp: Path, lamella: Lamella, work: Path, image: str) -> None:
    """The table, as wide as that, where layers can be read in place; else the list."""
    seen = _without_colours(on_terminal(tmp, "layers", image)).splitlines()
    told = lamella("layers", image, "--dead").worked().text.splitlines()
    assert seen[1][:60] == told[1][:60]
    assert max(map(len, seen)) <= 80
    packed = f"oci:{layout_of(LAYERS, 'gzip').write(work / 'layout')}"
    assert on_terminal(tmp, "layers", packed) == lamella("layers", packed).worked().text
    for form in ("-t", "-c", "-m", "-d", "--json"):
        assert on_terminal(tmp, "layers", image, form) == lamella("layers", image, form).text


def test_damaged_layers_are_listed_on_a_terminal(tmp: Path, lamella: Lamella, work: Path) -> None:
    """Without what is dead of them, as elsewhere; who asks for that is told why not."""
    path = work / "bad.tar"
    path.write_bytes(docker_archive(LAYERS[0], LAYERS[1][:700]))
    assert on_terminal(tmp, "layers", str(path)) == lamella("layers", str(path)).worked().text
    lamella("layers", str(path), "--dead").failed(1, "layer 2", "at byte 512")


def test_dead_shares_are_a_form_of_their_own(lamella: Lamella, image: str) -> None:
    """With another form, it is wrong usage."""
    for form in ("-t", "-c", "-m", "-d", "--json"):
        lamella("layers", image, "--dead", form).failed(2, "--dead can't be combined with")
