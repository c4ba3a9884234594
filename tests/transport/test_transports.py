"""References: what a user types, and the place it means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lamella.errors import Ambiguous, ImageNotFound, InvalidReference, UsageError
from lamella.transport.engine.location import EngineLocation
from lamella.transport.engine.options import EngineOptions
from lamella.transport.environment import Environment
from lamella.transport.file.location import FileLocation
from lamella.transport.location import Location
from lamella.transport.registry import RegistryName
from lamella.transport.registry.location import RegistryLocation
from lamella.transport.transports import locate, parse_location
from tests.odd.answers import Oddly
from tests.odd.engine import engine_in_memory
from tests.support.images import docker_archive, image
from tests.transport.forms import TARS, layout_of


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file, a layout and a folder that is neither."""
    monkeypatch.chdir(tmp_path)
    for name in ("app.tar", "with:colon.tar", "plain"):
        Path(name).write_bytes(b"")
    layout_of().write(tmp_path / "layout")
    Path("folder").mkdir()


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("-", FileLocation("archive", "-")),
        ("app", EngineLocation("", "app")),
        ("docker:dind", EngineLocation("", "docker:dind")),
        ("example.com:5000/a/b:1", EngineLocation("", "example.com:5000/a/b:1")),
        ("folder", EngineLocation("", "folder")),
        ("app.tar", FileLocation("archive", "app.tar")),
        ("./plain", FileLocation("archive", "./plain")),
        ("layout", FileLocation("oci", "layout")),
        ("./layout", FileLocation("oci", "./layout")),
        ("docker-daemon:a:1", EngineLocation("docker-daemon", "a:1")),
        ("docker-archive:app.tar", FileLocation("docker-archive", "app.tar")),
        ("docker-archive:app.tar:a/b:1", FileLocation("docker-archive", "app.tar", "a/b:1")),
        ("docker-archive:app.tar:@0", FileLocation("docker-archive", "app.tar", "@0")),
        ("docker-archive:with:colon.tar", FileLocation("docker-archive", "with:colon.tar")),
        (
            "docker-archive:with:colon.tar:a:1",
            FileLocation("docker-archive", "with:colon.tar", "a:1"),
        ),
        ("docker-archive:-:a:1", FileLocation("docker-archive", "-", "a:1")),
        ("oci:layout:1.0", FileLocation("oci", "layout", "1.0")),
        ("oci-archive:missing.tar:1", FileLocation("oci-archive", "missing.tar", "1")),
    ],
)
def test_sources(text: str, location: Location) -> None:
    """A prefix says it; without one, a file that is there is looked at, the rest is a name."""
    assert parse_location(text) == location


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("-", FileLocation("docker-archive", "-")),
        ("app:1", EngineLocation("", "app:1")),
        ("folder", EngineLocation("", "folder")),
        ("layout", FileLocation("oci", "layout")),
        ("docker-archive:new.tar:a:1", FileLocation("docker-archive", "new.tar", "a:1")),
        ("docker-archive:-:a:1", FileLocation("docker-archive", "-", "a:1")),
        ("oci:new:1", FileLocation("oci", "new", "1")),
        ("oci-archive:with:colon.tar:1", FileLocation("oci-archive", "with:colon.tar", "1")),
    ],
)
def test_outputs(text: str, location: Location) -> None:
    """A file need not be there; a folder counts only if it is a layout."""
    assert parse_location(text, output=True) == location


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docker-daemon:",
        "docker-archive:",
        "oci::tag",
        "oci:-",
        "dir:x",
        "https://reg.example/x",
    ],
)
def test_what_means_nothing(text: str) -> None:
    """It is refused as it is read."""
    with pytest.raises(InvalidReference):
        parse_location(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("dir:x", "did you mean oci:x?"),
        ("tar:x.tar", "did you mean docker-archive:x.tar?"),
        ("https://reg.example/x", "for a registry: docker://reg.example/x"),
        ("containerd:x", "for an image of that name: docker-daemon:containerd:x"),
    ],
)
def test_transports_of_other_tools(text: str, meant: str) -> None:
    """The nearest of ours is proposed."""
    for output in (False, True):
        with pytest.raises(InvalidReference, match=f"known: docker-archive:.*{re.escape(meant)}"):
            parse_location(text, output=output)


@pytest.mark.parametrize("text", ["./none", "/none", "./folder", ".", "a/b.tgz", "None.TAR"])
def test_what_is_not_there(text: str) -> None:
    """It can only be a file or a folder."""
    with pytest.raises(ImageNotFound):
        parse_location(text)


@pytest.mark.parametrize(
    ("text", "source", "transport"),
    [
        ("new.tar", None, "docker-archive"),
        ("a.tar.gz", "plain", "docker-archive"),
        ("a.tar.zst", "docker://reg.example/a", "docker-archive"),
        ("./a.tgz", "oci-archive:b.tar", "oci-archive"),
        ("a.oci", None, "oci-archive"),
    ],
)
def test_an_archive_is_of_the_usual_kind(text: str, source: str | None, transport: str) -> None:
    """Which is the source's, if that is an OCI layout."""
    location = parse_location(text, output=True, source=parse_location(source) if source else None)
    assert isinstance(location, FileLocation)
    assert str(location) == f"{transport}:{text}"


@pytest.mark.parametrize("text", ["./new", "/new", "plain"])
def test_output_that_could_be_two_things(text: str) -> None:
    """The error names the prefixes that settle it."""
    with pytest.raises(UsageError) as error:
        parse_location(text, output=True)
    for prefix in ("docker-archive:", "oci-archive:", "oci:"):
        assert prefix + text in str(error.value)


def test_registries() -> None:
    """`docker://` is a registry, whatever is here; an output can't be given a digest."""
    digest = f"sha256:{'0' * 64}"
    assert parse_location("docker://a.b/c:1") == RegistryLocation(RegistryName("a.b", "c", "1"))
    assert str(parse_location(f"docker://a.b/c@{digest}")) == f"docker://a.b/c@{digest}"
    assert str(parse_location("docker://a.b/c", output=True)) == "docker://a.b/c:latest"
    with pytest.raises(InvalidReference, match="can't be given a digest"):
        parse_location(f"docker://a.b/c@{digest}", output=True)
    for wrong in ("docker://", "docker://A/B", "docker://a.b/c:"):
        with pytest.raises(InvalidReference):
            parse_location(wrong)


@pytest.mark.parametrize("output", [False, True])
@pytest.mark.parametrize("prefix", ["podman", "containers-storage"])
def test_podman_has_two_prefixes(prefix: str, output: bool) -> None:
    """Its own and skopeo's; which storage is meant is not for the reference to say."""
    location = parse_location(f"{prefix}:localhost/a:1", output=output)
    assert location == EngineLocation("podman", "localhost/a:1")
    assert str(location) == "podman:localhost/a:1"
    for wrong in ("", "[overlay@/storage]a:1"):
        with pytest.raises(InvalidReference, match=f"expected {prefix}:NAME"):
            parse_location(f"{prefix}:{wrong}", output=output)


@pytest.mark.parametrize(
    "text", ["app", "docker-daemon:a:1", "docker-archive:app.tar:b:1", "oci:layout:1", "app.tar"]
)
def test_a_location_reads_as_it_was_typed(text: str) -> None:
    """Messages show what the user wrote."""
    assert str(parse_location(text)) == text


@pytest.mark.parametrize(
    ("text", "tags", "suggested"),
    [
        ("app.tar", ["web:1"], ("web:slim", "app-slim.tar")),
        (
            "docker-archive:in/app-1.2.tar.gz",
            ["latest", "x/web"],
            ("x/web:slim", "in/app-1.2-slim.tar"),
        ),
        ("with:colon.tar", [], ("", "docker-archive:with:colon-slim.tar")),
        ("oci-archive:a.tar", ["latest"], ("", "a-slim.tar")),
        ("docker-archive:a.oci", ["latest"], ("", "a-slim.oci")),
        ("-", ["web:1"], ("web:slim", "slim.tar")),
        ("layout", ["web:1"], ("", "oci:layout:slim")),
        ("web:1", ["web:1"], ("web:slim", "")),
        ("sha256:0123456789ab", ["web:1"], ("web:slim", "")),
        ("0123456789ab", [], ("", "")),
        ("cafe", ["cafe:latest"], ("cafe:slim", "")),
    ],
)
def test_suggestions(text: str, tags: list[str], suggested: tuple[str, str]) -> None:
    """What a smaller image is called beside this one, and where it goes if that must be said."""
    assert parse_location(text).suggest(tags) == suggested


def test_a_file_and_an_image_of_the_engine_have_one_name(tmp_path: Path) -> None:
    """Which of them is meant has to be said; where no engine listens, it is the file."""
    archive = docker_archive(*TARS, tags=["app:1"])
    Path("app").write_bytes(archive)

    def env_of(address: str) -> Environment:
        return Environment(engine=EngineOptions({"DOCKER_HOST": address}))

    with (
        engine_in_memory(Oddly(0), archive, image(*TARS).config.raw, tmp_path) as address,
        env_of(address) as env,
    ):
        with pytest.raises(Ambiguous, match=r"give \./app or docker-daemon:app$"):
            locate("app", env)
        assert locate("./app", env) == FileLocation("archive", "./app")
    for nowhere in (f"unix://{tmp_path / 'engine.sock'}", f"unix://{tmp_path}/none", "nonsense"):
        with env_of(nowhere) as env:
            assert locate("app", env) == FileLocation("archive", "app")
