"""What is said of a new image at the end: what it is called, and how it can be named exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Lamella
from tests.odd.answers import Oddly
from tests.odd.registry import registry_in_memory


@pytest.mark.parametrize(
    ("output", "kind"),
    [("docker-archive:{}/new.tar", "image ID"), ("oci:{}/new", "digest"), ("{}/new.oci", "digest")],
)
def test_one_digest_is_shown(
    lamella: Lamella, app: str, work: Path, output: str, kind: str
) -> None:
    """That of standard output. An image ID is called so: other tools know no image by it."""
    ran = lamella("squash", app, "1", "-o", output.format(work)).worked()
    shown = f"{kind} {ran.text[:15]}…"
    assert [line for line in ran.err.splitlines() if "sha256:" in line] == [
        line for line in ran.err.splitlines() if shown in line
    ]
    assert shown in ran.err


def test_a_registry_knows_the_image_by_what_is_shown(lamella: Lamella, app: str) -> None:
    """Without a tag nothing looks like one."""
    with registry_in_memory(Oddly(0)) as registry:
        name = f"{registry.host}/team/app"
        ran = lamella("squash", app, "1", "-o", f"docker://{name}:1").worked()
        digest = ran.text.strip().partition("@")[2]
        assert ("team/app", digest) in registry.manifests
        last = ran.err.splitlines()[-1]
        assert last.startswith(f"{name}:1  2 layers")
        assert f"digest {digest[:15]}…" in last

        last = lamella("squash", f"docker://{name}:1").worked().err.splitlines()[-1]
        assert last.startswith(f"{name} (no tag)  1 layer")


def test_several_names_are_told_apart(lamella: Lamella, app: str, work: Path) -> None:
    """A blank is no comma."""
    ran = lamella("squash", app, "-t", "a:1", "-t", "b:2", "-o", f"{work}/new.tar").worked()
    assert ran.err.splitlines()[-1].startswith("a:1, b:2  1 layer")


def test_a_tag_beside_the_source(lamella: Lamella, app: str) -> None:
    """The last part of a repository's name means that repository, not one at the top."""
    with registry_in_memory(Oddly(0)) as registry:
        name = f"{registry.host}/team/app"
        lamella("squash", app, "1", "-o", f"docker://{name}:1").worked()
        lamella("squash", f"docker://{name}:1", "1", "app:slim").worked()
        lamella("squash", f"docker://{name}:1", "app:slim", "-t", "other:slim").worked()
        tags = {one for one in registry.manifests if ":" not in one[1]}
        assert tags == {("team/app", "1"), ("team/app", "slim"), ("other", "slim")}
