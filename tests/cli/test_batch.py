"""``lamella batch``, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.fleet.conftest import NAMES, fill
from tests.odd.answers import Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory

TO = "docker://{host}/{repository}:{tag}-slim"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[MemoryRegistry]:
    """A registry in memory with five images."""
    with registry_in_memory(Oddly(0)) as found:
        fill(found.host, tmp_path, *NAMES)
        yield found


def test_a_line_an_image(lamella: Lamella, registry: MemoryRegistry) -> None:
    """And a summary; the second run finds nothing to do."""
    host = registry.host
    words = ("batch", f"docker://{host}/team/*:v*", "--last", "2", "--to", TO)
    ran = lamella(*words).worked()
    lines = sorted(ran.text.splitlines())
    assert len(lines) == 3
    assert lines[0].startswith(
        f"squashed    docker://{host}/team/app:v1 → docker://{host}/team/app:v1-slim  "
        "3 → 2 layers, "
    )
    assert "3 images in " in ran.err
    assert ": 3 squashed\n" in ran.err
    assert "9 → 6 layers" in ran.err
    again = lamella(*words).worked()
    assert ": 3 unchanged\n" in again.err
    assert "app:v1-slim: is the result of another image; left alone" in again.err
    assert lamella(*words, "-q").worked().err == ""


def test_json(lamella: Lamella, registry: MemoryRegistry, work: Path) -> None:
    """One document a line, the same as in the journal."""
    words = ("batch", f"docker://{registry.host}/team/*:v*", "--last", "2", "--to", TO)
    ran = lamella(*words, "--json", "--journal", str(work / "journal")).worked()
    assert (work / "journal").read_text() == ran.text
    documents = [json.loads(line) for line in ran.text.splitlines()]
    assert {one["state"] for one in documents} == {"squashed"}


def test_a_list_says_it_all(lamella: Lamella, registry: MemoryRegistry, work: Path) -> None:
    """From a file, or standard input: what to squash to, and where it goes."""
    name = f"docker://{registry.host}/team/app"
    text = f"# images\n{name}:v1 1 {name}:one\n{name}:v2 - oci:{work}/all:two\n"
    (work / "list").write_text(text)
    ran = lamella("batch", "--list", str(work / "list")).worked()
    assert sorted(line.partition("  ")[2].split("  ")[-1] for line in ran.text.splitlines())
    assert (
        lamella("batch", "--list", "-", stdin=text.encode()).worked().text.count("unchanged") == 2
    )
    assert ("team/app", "one") in registry.manifests


def test_archives_go_on_from_a_journal(lamella: Lamella, app: str, work: Path) -> None:
    """They can't say by themselves of what they are made."""
    (work / "out").mkdir()
    path = app.partition(":")[2]
    words = ("batch", path, "--to", f"docker-archive:{work}/out/{{name}}.tar")
    more = ("--journal", str(work / "journal"), "--resume")
    assert lamella(*words, *more).worked().text.startswith("squashed")
    assert lamella(*words, *more).worked().text.startswith("unchanged")
    assert lamella(*words).worked().text.startswith("squashed")


def test_failures_are_listed_and_have_a_code(
    lamella: Lamella, registry: MemoryRegistry, work: Path
) -> None:
    """That of all failures if they have one in common, else 1; the others are done."""
    name = f"docker://{registry.host}/team/app"
    (work / "none.tar").write_bytes(b"no image")
    words = (
        "batch",
        f"{name}:v1",
        f"{name}:none",
        "--last",
        "2",
        "--to",
        f"oci:{work}/all:{{name}}{{tag}}",
    )
    ran = lamella(*words)
    assert ran.code == 7
    assert "1 failed, 1 squashed" in ran.err
    assert f"1 failed:\n  {name}:none: no tag 'none'" in ran.err
    assert "(exit code 7)" in ran.text
    mixed = f"{name}:none\n{work}/none.tar - oci:{work}/all:x\n"
    ran = lamella(*words[:1], "--list", "-", "--to", words[-1], stdin=mixed.encode())
    assert ran.code == 1
    assert "2 failed" in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "nothing to squash: expected WHAT, --list FILE or --plan FILE"),
        (("a:1", "--to", "b:{tag}", "--plan", "p"), "--plan names the images; leave out WHAT"),
        (("--to", "b:{tag}", "--plan", "nowhere"), "--plan nowhere: No such file"),
        (("a:1", "--to", "b:{tag}", "--resume"), "--resume goes with --journal FILE"),
        (("a:1",), "a:1: no destination; give --to"),
        (("a:1", "--to", "b:{nope}"), "no field {nope}"),
        (("a:1", "--to", "b:{tag}", "--last", "0"), "--last 0: expected"),
        (("a:1", "--to", "b:{tag}", "--since", "soon"), "--since 'soon': expected a time like"),
        (("a:1", "--to", "b:{tag}", "--shard", "5/4"), "shard '5/4': expected I/N"),
        (("a:1", "--to", "b:{tag}", "--shard", "auto"), "this process has no number"),
        (("a:1", "--to", "b:{tag}", "--engine", "ray"), "expected local, dask or dask=tcp://"),
        (("a:1", "--to", "a:1"), "would replace itself"),
        (("--list", "nowhere", "--to", "b"), "--list nowhere: No such file"),
        (("te*", "--to", "b"), "expected a transport before it"),
    ],
)
def test_wrong_usage(lamella: Lamella, words: tuple[str, ...], told: str) -> None:
    """One line, before any image is touched."""
    lamella("batch", *words).failed(2, told)


def test_a_page(lamella: Lamella, registry: MemoryRegistry, work: Path) -> None:
    """It has every image, and failures first; names are text in it."""
    name = f"docker://{registry.host}/team/app"
    (work / "<b>.tar").write_bytes(b"no image")
    words = ("batch", f"{name}:v1", f"{work}/<b>.tar", "--to", f"oci:{work}/all:{{name}}")
    ran = lamella(*words, "--html", str(work / "page.html"))
    assert ran.code == 1
    text = (work / "page.html").read_text()
    assert "2 images squashed</title>" in text
    assert text.index("&lt;b&gt;.tar") < text.index(f"{name}:v1</bdi>")
    assert "<b>.tar" not in text
    lamella(*words, "--html", str(work)).failed(1, "Is a directory")


def test_a_dry_run(lamella: Lamella, registry: MemoryRegistry) -> None:
    """Tells what would be, and writes nothing."""
    before = dict(registry.manifests)
    words = ("batch", f"docker://{registry.host}/team/app:*", "--max-layers", "1", "--to", TO)
    ran = lamella(*words, "--dry-run").worked()
    assert ran.text.count("planned ") == 3
    assert registry.manifests == before


def test_a_plan_is_carried_out(
    lamella: Lamella, registry: MemoryRegistry, work: Path, tmp_path: Path
) -> None:
    """What it promises is stored, to the byte; an image that has changed since is refused."""
    pattern = f"docker://{registry.host}/team/*:v*"
    plan = str(work / "plan.json")
    lamella("plan", pattern, "--max-layers", "1", "-o", plan).worked()
    promised = json.loads(Path(plan).read_text())["stored"]["after"]
    words = ("batch", "--plan", plan, "--to", f"oci:{work}/all:{{name}}-{{tag}}")
    assert ": 3 squashed" in lamella(*words, "--compression", "none").worked().err
    blobs = [path.read_bytes() for path in (work / "all/blobs/sha256").iterdir()]
    assert sum(len(blob) for blob in blobs if not blob.startswith(b"{")) == promised
    fill(registry.host, tmp_path, "team/app:v1")
    assert lamella(*words, "--compression", "none").worked().text.count("unchanged") == 3
    registry.put("team/app", "v1", *registry.manifests["team/web", "v1"])
    ran = lamella(*words, "--compression", "none")
    assert ran.code == 1
    assert "the plan is for image sha256:" in ran.text
