"""Layers that lamella chooses: --auto and --max-layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lamella
from tests.cli.conftest import Lamella
from tests.engines.daemon import Engine
from tests.engines.images import build_base
from tests.support.images import docker_archive, made_by
from tests.support.tars import folder, layer, whiteout
from tests.transport.forms import to_file

TARS = (
    layer(folder("etc"), ("etc/base", b"b" * 3000)),
    layer(folder("etc"), ("etc/gone", b"g" * 9000)),
    layer(folder("etc"), whiteout("etc/gone")),
    layer(folder("etc"), ("etc/quiet", b"q" * 100)),
    layer(folder("srv"), ("srv/model", b"1" * 20_000)),
    layer(folder("srv"), ("srv/model", b"2" * 20_000)),
    layer(folder("srv"), ("srv/last", b"l")),
)


@pytest.fixture
def image(work: Path) -> str:
    """Layers 2 and 3, and 5 and 6, are worth squashing; all repeat a directory's entry."""
    steps = made_by(*(f"step {number}" for number in range(len(TARS))))
    return to_file(work / "app.tar", docker_archive(*TARS, history=steps))


def plan(lamella: Lamella, image: str, *choice: str) -> dict[str, Any]:
    """What a choice would do."""
    document: dict[str, Any] = json.loads(
        lamella("squash", image, *choice, "--dry-run", "--json").worked().text
    )
    return document


def ranges_of(document: dict[str, Any]) -> list[tuple[int, int]]:
    """First and last layer of each range."""
    return [(found["first"], found["last"]) for found in document["ranges"]]


def test_auto_squashes_what_pays(lamella: Lamella, image: str, work: Path) -> None:
    """The two pairs, and no directory's entry is a reason; afterwards no file is dead."""
    assert ranges_of(plan(lamella, image, "--auto")) == [(2, 3), (5, 6)]
    target = ["-o", f"docker-archive:{work}/new.tar", "--verify"]
    ran = lamella("squash", image, "--auto", *target).worked()
    assert "layers 2-3" in ran.err
    assert "layers 5-6" in ran.err
    again = lamella("squash", f"{work}/new.tar", "--auto", "--dry-run", "--exit-code").worked(3)
    assert "nothing to squash: no layer has anything that a squash would remove" in again.text
    analysis = json.loads(lamella("analyze", f"{work}/new.tar", "--json").worked().out)
    assert [d["path"] for d in analysis["dead"] if not d["directory"]] == []


@pytest.mark.parametrize("most", range(1, 9))
def test_max_layers(lamella: Lamella, image: str, work: Path, most: int) -> None:
    """So many there are, and of all ways to have so many none is smaller."""
    target = ["-o", f"docker-archive:{work}/new.tar", "--verify", "--json"]
    document = json.loads(lamella("squash", image, "--max-layers", str(most), *target).worked().out)
    assert document["layers"]["after"] == min(most, len(TARS))
    savings = lamella_savings(image)
    assert document["bytes"]["after"] == _least(savings, 1, min(most, len(TARS)))


def lamella_savings(image: str) -> dict[tuple[int, int], int]:
    """Bytes of the layer that a range becomes."""
    found = lamella.analyze(image).savings
    return {key: saving.after for key, saving in found.items()}


def _least(after: dict[tuple[int, int], int], first: int, parts: int) -> int:
    count = len(TARS)
    if parts == 1:
        return after[first, count]
    return min(
        after[first, last] + _least(after, last + 1, parts - 1)
        for last in range(first, count - parts + 2)
    )


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (["--auto", "--last", "2"], ": --last and --auto exclude each other"),
        (["--auto", "#1"], "LAYER (--from) and --auto exclude each other; give one"),
        (["--max-layers", "2", "--layers", "1-2"], "exclude each other"),
        (["--max-layers", "0"], "at least one layer"),
        (["--max-layers", "few"], "few"),
        (["--include-base"], "--auto"),
    ],
)
def test_what_makes_no_sense(lamella: Lamella, image: str, choice: list[str], words: str) -> None:
    """It is said before anything is read."""
    lamella("squash", image, *choice, "--dry-run").failed(2, words)


def test_what_looks_like_the_base_is_left_alone(lamella: Lamella, work: Path) -> None:
    """It is said why, and how to squash it all the same."""
    steps = made_by(*(f"step {number}" for number in range(len(TARS))))
    start = {"created_by": '/bin/sh -c #(nop)  CMD ["sh"]', "empty_layer": True}
    image = to_file(
        work / "app.tar", docker_archive(*TARS, history=[*steps[:4], start, *steps[4:]])
    )
    ran = lamella("squash", image, "--auto", "--dry-run", "--json").worked()
    assert ranges_of(json.loads(ran.text)) == [(5, 6)]
    said = "layers 1-4 look like the base (CMD follows in the history)"
    assert f"{said}; kept, unless --include-base is given" in ran.err
    assert ranges_of(plan(lamella, image, "--auto", "--include-base")) == [(2, 3), (5, 6)]
    assert f"{said}; keep them" in lamella("analyze", image).worked().text
    nothing = to_file(
        work / "no.tar", docker_archive(*TARS[:5], history=[*steps[:4], start, steps[4]])
    )
    ran = lamella("squash", nothing, "--auto", "--dry-run").worked()
    assert "no layer above the base has anything that a squash would remove" in ran.text


@pytest.mark.engine
def test_shared_base_is_left_alone(
    docker_classic: Engine, lamella: Lamella, tmp_path: Path
) -> None:
    """What another image has, too, is not squashed unless that is asked for."""
    env = {"DOCKER_HOST": docker_classic.host}
    base, app = "choosing/base:1", "choosing/app:1"
    build_base(docker_classic, "choosing/first:1")
    for name, start, steps in (
        (base, "choosing/first:1", ["echo a > /waste", "rm /waste"]),
        (app, base, ["echo b > /more", "echo c > /more"]),
    ):
        run = "\n".join(f"RUN {step}" for step in steps)
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text(f"FROM {start}\n{run}\n")
        docker_classic.docker(
            "build", "--network=none", "-t", name, "-f", str(dockerfile), str(tmp_path)
        )
    own = len(json.loads(lamella("layers", app, "--json", env=env).worked().out)["layers"])

    def chosen(*choice: str) -> list[tuple[int, int]]:
        ran = lamella("squash", app, *choice, "--dry-run", "--json", env=env).worked()
        return ranges_of(json.loads(ran.out))

    found = json.loads(lamella("analyze", app, "--json", env=env).worked().out)
    assert found["shared_layers"] == own - 2
    lost = {(s["first"], s["last"]): s["sharing_lost"] for s in found["squashes"]}
    assert lost[own - 1, own] == 0
    assert lost[own - 2, own] == found["layers"][own - 3]["bytes"]
    kept = f"layers 1-{own - 2} are all of {base}; keep them"
    assert kept in lamella("analyze", app, env=env).text
    wanted = {"layers": own - 2, "name": base, "why": "", "found_by": "image", "digest": ""}
    assert found["base"] == wanted
    assert chosen("--auto") == [(own - 1, own)]
    assert chosen("--auto", "--include-base") == [(own - 3, own - 2), (own - 1, own)]
    assert chosen("--max-layers", str(own - 1)) == [(own - 1, own)]
