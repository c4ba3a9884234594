"""What a squash may be asked for: checked before any work, in the words of the calls."""

from __future__ import annotations

from typing import Any

import pytest

from lamella.errors import InvalidReference, UsageError
from lamella.operations.request import Request
from lamella.rewrite import Wording
from lamella.transport.engine.location import EngineLocation
from lamella.transport.file.location import FileLocation
from lamella.transport.location import Location
from lamella.transport.transports import parse_location

SOURCE = FileLocation("archive", "app.tar")


def request(output: Location = EngineLocation("", ""), **asked: Any) -> Request:  # noqa: ANN401, B008 - as they are
    """Ask for a squash."""
    return Request(SOURCE, output, **asked)


@pytest.mark.parametrize(
    "choice",
    [
        {"base": "#1", "last": 2},
        {"base": "", "auto": True},
        {"last": 2, "ranges": ("1-2",)},
        {"base": "#1", "ranges": ("1-2",)},
        {"max_layers": 2, "auto": True},
    ],
)
def test_choices_exclude_each_other(choice: dict[str, Any]) -> None:
    """One way to choose layers at a time."""
    with pytest.raises(UsageError, match="exclude each other"):
        request(**choice)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"max_layers": 0}, "`max_layers` 0: an image has at least one layer"),
        ({"last": 0}, "`last` 0: expected a number of layers, 1 or more"),
        ({"include_base": True}, "`include_base` goes with `auto`"),
        ({"wording": Wording("merge", "\udcff", None)}, "`message`: expected UTF-8"),
        ({"tags": ("\udcff",)}, "the new image's name: expected UTF-8"),
    ],
)
def test_what_no_image_can_fulfil(asked: dict[str, Any], message: str) -> None:
    """The message names the parameter."""
    with pytest.raises(UsageError, match=message):
        request(**asked)


@pytest.mark.parametrize(
    ("output", "given", "tags", "names"),
    [
        ("app:1", ["b"], ("app:1", "b"), ("app:1", "b:latest")),
        ("docker-daemon:app", ["app"], ("app",), ("app:latest",)),
        ("podman:app", [], ("app",), ("localhost/app:latest",)),
        ("docker-archive:new.tar:a/b", ["c:2"], ("a/b", "c:2"), ("a/b:latest", "c:2")),
        ("docker-archive:new.tar", [], (), ()),
        ("oci:new:1.0", ["1.0", "b"], ("1.0", "b"), ("1.0", "b")),
        ("oci-archive:new.tar", ["b"], ("b",), ("b",)),
        (
            "docker://reg.example/app",
            ["reg.example/app:2"],
            ("reg.example/app:latest", "reg.example/app:2"),
            ("reg.example/app:latest", "reg.example/app:2"),
        ),
    ],
)
def test_names_of_the_new_image(
    output: str, given: list[str], tags: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """The output's own first, each once, in the words of its place."""
    place, all_names = parse_location(output, output=True).named(given)
    assert all_names == tags
    assert request(place, tags=all_names).names == names


@pytest.mark.parametrize(
    "output", ["app:1", "docker-daemon:app", "docker-archive:new.tar", "oci:new", "docker://a.b/c"]
)
def test_a_name_that_is_empty(output: str) -> None:
    """It is refused, wherever the image goes, and not left out."""
    with pytest.raises(InvalidReference, match="it is empty"):
        parse_location(output, output=True).named([""])


def test_names_of_several_repositories() -> None:
    """A registry takes an image into one repository at a time."""
    output = parse_location("docker://reg.example/app:1", output=True)
    with pytest.raises(UsageError, match="example/other:2 is in another repository"):
        output.named(["other:2"])


@pytest.mark.parametrize(
    ("image", "home"),
    [
        ("app:1", "docker-daemon:"),
        ("podman:app", "podman:"),
        ("docker://reg.example/app:1", "docker://reg.example/app"),
        ("-", "docker-archive:-"),
        ("docker-archive:app.tar", None),
        ("oci:layout:a", None),
    ],
)
def test_where_a_new_image_goes_by_default(image: str, home: str | None) -> None:
    """Where the old one is; files are never written over."""
    found = parse_location(image).home()
    assert (None if found is None else str(found)) == home
