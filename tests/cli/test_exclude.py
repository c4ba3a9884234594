"""``--exclude``, ``--exclude-from`` and ``--clamp-mtime``: asked for, told, and proven."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Lamella
from tests.properties.reference import flatten
from tests.support.demo import put_demo
from tests.transport.forms import tars_of_archive

NANO = 10**9


@pytest.fixture
def demo(work: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The demo's image, in the working folder."""
    put_demo(work / "demo.tar")
    monkeypatch.chdir(work)
    return "demo.tar"


def paths_of(archive: Path) -> set[str]:
    """Name the files that a container of an image sees."""
    return {path.decode() for path in flatten(tars_of_archive(archive))}


def test_paths_are_gone_and_all_else_is_proven_to_be_there(lamella: Lamella, demo: str) -> None:
    """--verify compares; what was brought back is there."""
    told = ["--exclude", "app", "--exclude", "!app/src/m01", "--exclude", "**/*.bin"]
    ran = lamella("squash", demo, *told, "--verify", "-o", "new.tar").worked()
    assert "excluded" in ran.err
    assert "verified" in ran.err
    gone = paths_of(Path(demo)) - paths_of(Path("new.tar"))
    assert gone
    assert all(p.endswith(".bin") or p.startswith("app/") for p in gone)
    assert any(path.startswith("app/src/m01/") for path in paths_of(Path("new.tar")))


def test_patterns_come_from_a_file_and_from_standard_input(lamella: Lamella, demo: str) -> None:
    """Files first, so what is typed can bring a path back."""
    Path("patterns").write_text("# caches\n\napp\n", encoding="utf-8")
    back = ["--exclude-from", "patterns", "--exclude", "!app"]
    lamella("squash", demo, *back, "-o", "all.tar").worked()
    assert paths_of(Path("all.tar")) == paths_of(Path(demo))
    lamella("squash", demo, "--exclude-from", "-", "-o", "less.tar", stdin=b"app\n").worked()
    assert paths_of(Path(demo)) - paths_of(Path("less.tar")) == {
        path for path in paths_of(Path(demo)) if path == "app" or path.startswith("app/")
    }


def test_no_file_is_newer(lamella: Lamella, demo: str) -> None:
    """The time is one of the variable, or typed; both give the same bytes."""
    for name, time in (("typed", "2020-01-01"), ("variable", "SOURCE_DATE_EPOCH")):
        lamella(
            *("squash", demo, "--clamp-mtime", time, "--created", "source", "--verify"),
            *("-o", f"{name}.tar"),
            env={"SOURCE_DATE_EPOCH": "1577836800"},
        ).worked()
    [tar] = tars_of_archive(Path("typed.tar"))
    times = [row.mtime for row in flatten([tar]).values() if row.mtime is not None]
    assert max(times) == 1577836800 * NANO
    assert Path("typed.tar").read_bytes() == Path("variable.tar").read_bytes()


def test_what_ships_all_the_same_is_told(lamella: Lamella, demo: str) -> None:
    """With the layer that has it, and the way to be rid of it; in JSON, too, before any work."""
    args = ("squash", demo, "2", "--exclude", "bin/busybox", "--exclude", "nothing")
    ran = lamella(*args, "-o", "new.tar").worked()
    assert "`" not in ran.err
    assert "layer 1 is kept, and the bytes of its /bin/busybox with it" in ran.err
    assert "to remove these bytes, too, squash all layers" in ran.err
    assert "nothing: no layer has such a path" in ran.err
    document = json.loads(lamella(*args, "--dry-run", "--json").worked().out)
    assert document["excluded"] == ["bin/busybox"]
    assert document["shipped"] == [{"layer": 1, "path": "bin/busybox"}]


def test_a_layer_alone_is_written_again_where_it_must_be(lamella: Lamella, demo: str) -> None:
    """Or else the image stays as it is, and the exit code says so."""
    last = ("squash", demo, "--last", "1", "--exit-code")
    lamella(*last, "--exclude", "bin/toolbox", "--verify", "-o", "new.tar").worked()
    assert "bin/toolbox" not in paths_of(Path("new.tar"))
    assert len(tars_of_archive(Path("new.tar"))) == 10
    ran = lamella(*last, "--exclude", "nowhere", "-o", "same.tar").worked(3)
    assert "no chosen layer has anything to leave out or to change" in ran.err


def test_lamella_chooses_layers_that_have_it(lamella: Lamella, demo: str) -> None:
    """With --auto and --max-layers: what is above the base."""
    for choice in (["--auto"], ["--max-layers", "8"]):
        args = [*choice, "--exclude", "app/src/m01", "--verify"]
        lamella("squash", demo, *args, "-o", "new.tar").worked()
        assert not any(path.startswith("app/src/m01") for path in paths_of(Path("new.tar")))


def test_a_layer_above_that_has_it_is_an_error_before_any_work(lamella: Lamella, demo: str) -> None:
    """The message has the choice that does it, which works."""
    args = ("squash", demo, "--exclude", "srv/model.bin", "-o", "new.tar")
    ran = lamella(*args, "--layers", "2-3").failed(2)
    assert "layer 9 has /srv/model.bin" in ran.err or "layer 8 has /srv/model.bin" in ran.err
    assert not Path("new.tar").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--exclude", "a[b"], "--exclude 'a[b': expected ] after ["),
        (["--exclude", "!"], "--exclude '!': expected a path from the root of the image"),
        (["--exclude-from", "nowhere"], "--exclude-from nowhere: No such file or directory"),
        (["--clamp-mtime", "yesterday"], "--clamp-mtime 'yesterday': expected SOURCE_DATE_EPOCH"),
        (["--clamp-mtime", "1960-01-01"], ": expected a time from 1970 to 2242"),
        (["--clamp-mtime", "SOURCE_DATE_EPOCH"], "this variable is not set"),
        (["--clamp-mtime", ""], "--clamp-mtime '': expected"),
    ],
)
@pytest.mark.parametrize("command", ["squash", "batch"])
def test_what_makes_no_sense_is_told_before_any_work(
    lamella: Lamella, demo: str, command: str, args: list[str], said: str
) -> None:
    """One line that names the option; nothing is written."""
    where = ["-o", "new.tar"] if command == "squash" else ["--to", "oci:new:{name}"]
    ran = lamella(command, demo, *args, *where).failed(2)
    assert said in ran.err
    assert {path.name for path in Path().iterdir()} == {"demo.tar"}


def test_a_batch_leaves_it_out_and_notices_another_pattern(lamella: Lamella, demo: str) -> None:
    """The options count among what a result was made by."""
    to = ("batch", demo, "--to", "oci:new:{name}", "--last", "3", "--verify")
    states = []
    for pattern in ("bin/toolbox", "bin/toolbox", "srv"):
        ran = lamella(*to, "--exclude", pattern, "--json").worked()
        states.append(json.loads(ran.out)["state"])
    assert states == ["squashed", "unchanged", "squashed"]


def secrets_of(lamella: Lamella, archive: str) -> list[dict[str, Any]]:
    """Return what analyze takes for secrets."""
    found: list[dict[str, object]] = json.loads(lamella("analyze", archive, "--json").out)[
        "secrets"
    ]
    return found


def test_secrets_are_removed_and_those_of_kept_layers_are_told(lamella: Lamella, demo: str) -> None:
    """The demo has one that a later layer deletes: a range without that layer leaves it out."""
    (secret,) = secrets_of(lamella, demo)
    layer, path = secret["layer"], secret["path"]
    choice = ["--layers", f"{layer}", "--remove-secrets"]
    ran = lamella("squash", demo, *choice, "--verify", "--json", "-o", "new.tar").worked()
    expected = {"removed": [{"path": path, "kind": secret["kind"], "layer": layer}], "kept": []}
    assert json.loads(ran.out)["secrets"] == expected
    assert secrets_of(lamella, "new.tar") == []
    choice[1] = "7-8"
    ran = lamella("squash", demo, *choice, "--dry-run").worked()
    assert f"--remove-secrets: layer {layer} is kept, and its /{path} " in ran.err
    assert f"squash --from {layer - 1}\n" in ran.err
