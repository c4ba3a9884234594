"""``lamella verify``: two images, and whether they are the same to whoever runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.support.demo import put_demo
from tests.support.images import docker_archive
from tests.support.tars import entry, layer
from tests.transport.forms import TARS, Layout


def test_squashed_image_is_the_same(lamella: Lamella, app: str, work: Path) -> None:
    """Exit 0, nothing on stdout, the verdict on stderr."""
    lamella("squash", app, "-o", f"docker-archive:{work}/new.tar").worked()
    ran = lamella("verify", app, f"docker-archive:{work}/new.tar").worked()
    assert ran.out == b""
    assert "the same" in ran.err
    assert lamella("verify", "-q", app, f"docker-archive:{work}/new.tar").worked().err == ""


def test_difference_is_told_and_is_exit_4(lamella: Lamella, app: str, work: Path) -> None:
    """What differs is the result, so it is on stdout."""
    (work / "other.tar").write_bytes(docker_archive(*TARS, layer(("etc/more", b"more"))))
    ran = lamella("verify", app, f"{work}/other.tar").worked(4)
    assert "etc/more" in ran.text
    assert "1 difference" in ran.err
    found = json.loads(lamella("verify", app, f"{work}/other.tar", "--json").worked(4).out)
    assert found["version"] == 1
    assert found["equal"] is False
    assert any("etc/more" in line for line in found["differences"])


def test_config_counts(lamella: Lamella, work: Path) -> None:
    """Another environment is another image."""
    for name, env in (("a", ["A=1"]), ("b", ["A=2"])):
        made = Layout()
        made.add(made.manifest(config={"config": {"Env": env}})).write(work / name)
    ran = lamella("verify", f"oci:{work}/a", f"oci:{work}/b").worked(4)
    assert ran.text == "config Env.A: 1 != 2\n"
    assert ran.err.endswith(": 1 difference\n")


def test_values_of_secrets_are_hidden(lamella: Lamella, work: Path) -> None:
    """As everywhere; that they differ is told."""
    for name, value in (("a", "one-secret"), ("b", "two-secret")):
        made = Layout()
        config = {
            "Env": [f"API_TOKEN={value}", "A=1"],
            "Labels": {"password": value},
            "Cmd": ["run", "--token", value],
        }
        made.add(made.manifest(config={"config": config})).write(work / name)
    for option in ([], ["--json"]):
        ran = lamella("verify", f"oci:{work}/a", f"oci:{work}/b", *option).worked(4)
        assert "secret" not in ran.text
        assert "config Env.API_TOKEN: (hidden) != (hidden)" in ran.text
        assert "config Labels.password: (hidden) != (hidden)" in ran.text


def test_many_differences_are_cut_short_for_people(lamella: Lamella, app: str, work: Path) -> None:
    """--json has all of them."""
    many = layer(*((f"many/{number}", b"") for number in range(50)))
    (work / "many.tar").write_bytes(docker_archive(*TARS, many))
    ran = lamella("verify", app, f"{work}/many.tar").worked(4)
    assert len(ran.text.splitlines()) == 21
    assert "--json shows all" in ran.text
    found = json.loads(lamella("verify", app, f"{work}/many.tar", "--json").worked(4).out)
    assert len(found["differences"]) > 50


def test_one_of_them_may_be_a_pipe(lamella: Lamella, app: str) -> None:
    """Both can't be: the second would find nothing left."""
    lamella("verify", app, "-", stdin=docker_archive(*TARS)).worked()
    lamella("verify", "-", "-", stdin=docker_archive(*TARS)).failed(2, "standard input")


@pytest.mark.parametrize("option", ["-o", "--tag", "--dry-run"])
def test_options_of_other_commands_are_refused(lamella: Lamella, app: str, option: str) -> None:
    """Nothing is written here."""
    lamella("verify", app, app, option).failed(2, option)


def test_differences_have_details(lamella: Lamella, work: Path) -> None:
    """Each as fields, for programs; what is ignored is counted, and is no difference."""
    for name, more in (("a", {"mode": 0o644, "mtime": 5}), ("b", {"mode": 0o600, "mtime": 6})):
        made = Layout()
        config = {"config": {"Env": [f"A={name}", "B=1"]}, "author": name}
        made.add(made.manifest([layer(entry("etc/x", b"1", **more))], config=config))
        made.write(work / name)
    args = ("verify", f"oci:{work}/a", f"oci:{work}/b", "--json")
    found = json.loads(lamella(*args).worked(4).out)
    assert found["ignored"] == {}
    assert {"path": "etc/x", "what": "mode", "ours": "0644", "theirs": "0600", "platform": ""} in (
        found["details"]
    )
    assert [one["what"] for one in found["details"]] == [
        *("config author", "config Env.A", "mode", "mtime")
    ]
    some = ("--ignore", "mtime", "--ignore", "config.Env", "--ignore", "owner")
    found = json.loads(lamella(*args, *some).worked(4).out)
    assert [one["what"] for one in found["details"]] == ["config author", "mode"]
    assert found["ignored"] == {"mtime": 1, "config.Env": 1, "owner": 0}
    ran = lamella(*args[:3], *some, "--ignore", "mode", "--ignore", "config").worked()
    assert ran.text == ""
    assert ran.err.endswith(": the same, 4 ignored\n")


@pytest.mark.parametrize("word", ["", "times", "config.", "mode.x", "/etc"])
def test_unknown_word_is_told_before_any_work(lamella: Lamella, word: str) -> None:
    """With those that there are; neither image is looked for."""
    ran = lamella("verify", "./none", "./neither", "--ignore", word).failed(2)
    assert f"--ignore {word!r}: expected mode, owner, mtime, xattr, config or config.FIELD" in (
        ran.err
    )


def test_the_same_but_for_what_was_asked_for(
    lamella: Lamella, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options of a squash say what it was to change; more or less than that is a difference."""
    put_demo(work / "demo.tar")
    monkeypatch.chdir(work)
    asked = ["--exclude", "app/src", "--exclude", "bin/busybox", "--clamp-mtime", "2020-01-01"]
    lamella("squash", "demo.tar", "1", *asked, "-o", "new.tar").worked()
    lamella("verify", "demo.tar", "new.tar", *asked).worked()
    for left in (asked[:2] + asked[4:], asked[:4]):
        lamella("verify", "demo.tar", "new.tar", *left).worked(4)
    ran = lamella("verify", "demo.tar", "new.tar", *asked, "--exclude", "srv").worked(4)
    assert "only in the second image" in ran.text
    lamella("verify", "demo.tar", "new.tar", *asked[:4], "--ignore", "mtime").worked()
    lamella("squash", "demo.tar", "1", *asked[:4], "-o", "newer.tar").worked()
    ran = lamella("verify", "demo.tar", "newer.tar", *asked).worked(4)
    assert ": mtime: 2020-01-01T00:00:00Z != " in ran.text
