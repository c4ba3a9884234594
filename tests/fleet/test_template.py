"""Names of results out of those of their sources."""

from __future__ import annotations

import pytest

from lamella.errors import UsageError
from lamella.fleet.template import fill
from lamella.transport.transports import parse_location


@pytest.mark.parametrize(
    ("source", "template", "wanted"),
    [
        (
            "docker://reg.example:5000/team/app:v1",
            "docker://{host}/{repository}:{tag}-slim",
            "docker://reg.example:5000/team/app:v1-slim",
        ),
        ("docker://reg.example/team/app", "oci:all:{name}-{tag}", "oci:all:app-latest"),
        ("docker-daemon:team/app:1", "slim/{repository}:{tag}", "slim/team/app:1"),
        ("podman:localhost/app", "docker-archive:{name}.tar", "docker-archive:app.tar"),
        ("docker-archive:a/b.c.tar.gz", "oci:{name}", "oci:b.c"),
        ("oci:folder:v1", "oci:folder:{tag}-slim", "oci:folder:v1-slim"),
        ("docker://h.example/a:1", "oci:x:{{{tag}}}", "oci:x:{1}"),
    ],
)
def test_fields(source: str, template: str, wanted: str) -> None:
    """Each kind of place has its own."""
    assert fill(template, parse_location(source).parts(), source) == wanted


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("oci:{image}", "no field {image}; expected one of {host}, {repository}, {name}, {tag}"),
        ("oci:{tag", "expected {FIELD}, or {{ for a brace"),
        ("oci:tag}", "expected {FIELD}, or {{ for a brace"),
        ("oci:{}", "no field {}"),
        ("oci:{tag!r}", "no field {tag!r}"),
        ("docker://{host}/a", "oci:folder:v1 has no host; it has {name}, {tag}"),
    ],
)
def test_a_template_that_makes_no_sense(template: str, words: str) -> None:
    """It is told before any image is touched."""
    with pytest.raises(UsageError) as caught:
        fill(template, parse_location("oci:folder:v1").parts(), "oci:folder:v1")
    assert words in str(caught.value)
