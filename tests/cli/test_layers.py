"""``lamella layers``: the same list in every dress."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lamella.spec.digest import Digest, chain_ids
from tests.cli.conftest import Lamella
from tests.support.images import docker_archive, made_by
from tests.transport.forms import TARS, layout_of

IDS = [digest.hex for digest in chain_ids(Digest.of(tar) for tar in TARS)]


def test_lines_say_what_a_choice_needs(lamella: Lamella, app: str) -> None:
    """Number, ID, size, tags and command; each line a space further in."""
    first, second, third = lamella("layers", app).worked().text.splitlines()
    assert first == f"1  {IDS[0][:12]}  4.61 kB  FROM scratch"
    assert second == f" └─ 2  {IDS[1][:12]}  3.58 kB  RUN change"
    assert third == f"  └─ 3  {IDS[2][:12]}  3.07 kB  app:latest  RUN add"


def test_tags_are_shown_as_the_original_did(lamella: Lamella, app: str) -> None:
    """-t: whole IDs, and the tags as a Python list."""
    lines = lamella("layers", app, "-t").worked().text.splitlines()
    assert lines == [IDS[0], f" └─ {IDS[1]}", f"  └─ {IDS[2]} ['app:latest']"]


def test_commands_are_shown_as_the_original_did(lamella: Lamella, app: str) -> None:
    """-c: the command in brackets."""
    lines = lamella("layers", app, "--commands").worked().text.splitlines()
    assert lines[1] == f" └─ {IDS[1]} [RUN change]"


def test_machine_lines_are_plain(lamella: Lamella, app: str) -> None:
    """-m: an ID a line; with -c, the command behind a bar."""
    assert lamella("layers", app, "-m").worked().text.splitlines() == IDS
    commands = ["FROM scratch", "RUN change", "RUN add"]
    found = lamella("layers", app, "-m", "-c").worked().text.splitlines()
    assert found == [f"{i}|{c}" for i, c in zip(IDS, commands, strict=True)]


def test_machine_ids_are_accepted_as_layer(lamella: Lamella, app: str, work: Path) -> None:
    """What is printed can be given back."""
    for name in lamella("layers", app, "-m").worked().text.splitlines():
        target = f"docker-archive:{work}/new.tar"
        lamella("squash", app, name[:10], "-o", target).worked()


def test_dockerfile_is_made_out_of_the_history(lamella: Lamella, app: str) -> None:
    """-d: steps that only changed the config too."""
    lines = lamella("layers", app, "-d").worked().text.splitlines()
    assert [line for line in lines if not line.startswith("#")][1:] == [
        "FROM scratch",
        "ENV A=b",
        "RUN change",
        "RUN add",
    ]


def test_dockerfile_has_nothing_but_instructions(lamella: Lamella, work: Path) -> None:
    """What no Dockerfile can say is a comment."""
    steps = made_by(
        "/bin/sh -c #(nop) ADD file:1 in /", "/bin/sh -c make", "bash", "(COPY a b # buildkit)"
    )
    (work / "app.tar").write_bytes(docker_archive(*TARS, history=steps))
    lines = lamella("layers", f"{work}/app.tar", "-d").worked().text.splitlines()
    assert lines[-4:] == ["ADD file:… /", "RUN make", "# bash", "COPY a b"]


def test_json_is_one_document(lamella: Lamella, app: str) -> None:
    """--json: all that is known of each layer."""
    found = json.loads(lamella("layers", app, "--json").worked().out)
    assert found["version"] == 1
    assert found["reference"] == app
    assert found["tags"] == ["app:latest"]
    assert [layer["number"] for layer in found["layers"]] == [1, 2, 3]
    assert [layer["id"] for layer in found["layers"]] == IDS
    assert [layer["diff_id"] for layer in found["layers"]] == [str(Digest.of(t)) for t in TARS]


def test_forms_exclude_each_other(lamella: Lamella, app: str) -> None:
    """-m, -d and --json are three forms of one list; what a form can't show is not ignored."""
    for forms in (["-m", "-d"], ["-d", "--json"], ["--json", "-m"]):
        lamella("layers", app, *forms).failed(2, "exclude each other")
    for option, form in (("-t", "-d"), ("-c", "-d"), ("-t", "-m")):
        lamella("layers", app, option, form).failed(2, f"{option} and {form} exclude each other: ")
    for forms in (["-t", "--json"], ["-c", "--json"], ["-t", "-c"], ["-m", "-c"]):
        lamella("layers", app, *forms).worked()


def test_image_without_history_is_listed(lamella: Lamella, work: Path) -> None:
    """There are no commands then, and the Dockerfile says so."""
    (work / "bare.tar").write_bytes(docker_archive(*TARS))
    bare = f"{work}/bare.tar"
    assert lamella("layers", bare, "-m", "-c").worked().text.splitlines()[0] == f"{IDS[0]}|"
    assert "has no history" in lamella("layers", bare, "-d").worked().text


def test_commands_take_one_line_and_do_nothing_to_a_terminal(lamella: Lamella, work: Path) -> None:
    """A history can hold anything; it is shown escaped."""
    steps = made_by("RUN one\\\n two\x1b[31m", "b", "c")
    (work / "evil.tar").write_bytes(docker_archive(*TARS, history=steps))
    for form in ([], ["-c"], ["-m", "-c"], ["-d"]):
        text = lamella("layers", f"{work}/evil.tar", *form).worked().text
        assert "\x1b" not in text
        assert "\\x1b[31m" in text


def test_platform_chooses_from_an_index(lamella: Lamella, work: Path) -> None:
    """An image for one platform only is not taken for another."""
    layout = f"oci:{layout_of().write(work / 'one')}"
    lamella("layers", layout, "--platform", "linux/amd64").worked()
    lamella("layers", layout, "--platform", "linux/s390x").failed(2, "linux/s390x", "linux/amd64")


@pytest.mark.parametrize("form", ["docker-archive:-", "-"])
def test_image_may_come_through_a_pipe(lamella: Lamella, form: str) -> None:
    """As `docker save` writes it."""
    ran = lamella("layers", form, "-m", stdin=docker_archive(*TARS)).worked()
    assert ran.text.splitlines() == IDS
