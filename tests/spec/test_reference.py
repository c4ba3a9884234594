from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import InvalidReference
from lamella.spec.reference import Reference
from tests.support.examples import examples

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest"),
    [
        ("a", "a", "", ""),
        ("app:1.0", "app", "1.0", ""),
        ("library/app", "library/app", "", ""),
        ("example.com/app:latest", "example.com/app", "latest", ""),
        ("example.com:5000/a/b/c", "example.com:5000/a/b/c", "", ""),
        ("localhost:5000/app:tag", "localhost:5000/app", "tag", ""),
        ("EXAMPLE.com/app", "EXAMPLE.com/app", "", ""),
        ("[::1]:5000/app", "[::1]:5000/app", "", ""),
        (f"app@{DIGEST}", "app", "", DIGEST),
        (f"app:tag@{DIGEST}", "app", "tag", DIGEST),
        ("a.b_c__d-e---f", "a.b_c__d-e---f", "", ""),
        ("app:" + "t" * 128, "app", "t" * 128, ""),
        ("app:_x.Y-z", "app", "_x.Y-z", ""),
        ("n" * 255, "n" * 255, "", ""),
    ],
)
def test_names(text: str, name: str, tag: str, digest: str) -> None:
    """The grammar of distribution/reference."""
    assert Reference.parse(text) == Reference(name, tag, digest)
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ":",
            ":tag",
            "app:",
            "@",
            f"@{DIGEST}",
            "App",
            "app:tag:tag",
            "a//b",
            "/a",
            "a/",
            "-a",
        ),
        *(
            "a..b",
            "a___b",
            ".a",
            "a.",
            "app:-tag",
            "app:.tag",
            "app:" + "t" * 129,
            "n" * 256,
            "a b",
        ),
        *("app@sha256:abc", "app@", "app\n", "example.com:port/app", "http://example.com/app", "ä"),
    ],
)
def test_what_is_no_name(text: str) -> None:
    """Everything else is refused in one line that says what is wrong."""
    with pytest.raises(InvalidReference, match="invalid image name") as caught:
        Reference.parse(text)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "empty"),
        ("app:", "nothing follows the colon"),
        ("App:tag", "did you mean 'app:tag'"),
        ("n" * 256, "at most 255"),
        ("app:" + "t" * 129, "at most 128"),
    ],
)
def test_complaints_help(text: str, hint: str) -> None:
    """The usual mistakes are called by name."""
    with pytest.raises(InvalidReference, match=hint):
        Reference.parse(text)


def test_tag_is_latest_unless_given() -> None:
    """A name for a new image has a tag, and no digest."""
    assert Reference.parse_tag("app") == Reference("app", "latest")
    assert Reference.parse_tag("app:1") == Reference("app", "1")
    with pytest.raises(InvalidReference, match="digest"):
        Reference.parse_tag(f"app@{DIGEST}")


@pytest.mark.parametrize(
    ("text", "familiar"),
    [
        ("docker.io/library/app:1", "app:1"),
        ("docker.io/user/app", "user/app"),
        ("library/app", "app"),
        ("example.com/library/app", "example.com/library/app"),
    ],
)
def test_familiar_names(text: str, familiar: str) -> None:
    """As Docker shows them."""
    assert Reference.parse(text).familiar == familiar


@examples(200)
@given(st.text(alphabet="aA0.:/@_-[] \n", max_size=30))
def test_any_text_is_a_name_or_an_error(text: str) -> None:
    """What is read is said again as it was; everything else raises the one error."""
    with suppress(InvalidReference):
        assert str(Reference.parse(text)) == text
