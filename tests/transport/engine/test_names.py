"""Which name of an image goes with --cleanup."""

from __future__ import annotations

import re

import pytest

from lamella.transport.engine.names import choose_removal, tags_of

ID = "0123456789ab"


@pytest.mark.parametrize(
    ("name", "then", "now", "new", "target", "kept"),
    [
        # called by a name that it keeps: that name goes
        ("app:1", ["app:1"], ["app:1"], ["app:2"], "app:1", None),
        ("app", ["app:latest"], ["app:latest"], [], "app:latest", None),
        ("docker.io/library/app", ["app:latest"], ["app:latest"], [], "app:latest", None),
        ("app:1", ["app:1", "b:1"], ["app:1", "b:1"], ["app:2"], "app:1", None),
        ("host:5000/app", ["host:5000/app:latest"], ["host:5000/app:latest"], [], ..., None),
        # TAG = IMAGE: the name moved on, the old image goes by ID unless it has another name
        ("app:1", ["app:1"], [], ["app:1"], None, None),
        ("app:1", ["app:1", "b:1"], ["b:1"], ["app:1"], None, "also called b:1"),
        # the new image is the old one, since there was nothing to squash
        ("app:1", ["app:1"], ["app:1"], ["app:1"], None, "it is the new image"),
        ("app:1", ["app:1"], ["app:1", "app:2"], ["app:2"], "app:1", None),
        # called by its ID
        (ID, [], [], ["app:2"], None, None),
        (ID, ["app:1"], ["app:1"], ["app:2"], "app:1", None),
        (ID, ["app:1"], [], ["app:1"], None, None),
        (ID, ["app:1"], ["app:1"], ["app:1"], None, "it is the new image"),
        (ID, ["a:1", "b:1"], ["a:1", "b:1"], ["c:1"], None, r"several names \(a:1, b:1\)"),
        (f"app@sha256:{'1' * 64}", ["app:1"], ["app:1"], [], "app:1", None),
    ],
)
def test_what_goes(
    name: str, then: list[str], now: list[str], new: list[str], target: object, kept: str | None
) -> None:
    """One name, or the image that has none; never a name that was not meant."""
    found, reason = choose_removal(name, then, now, new)
    assert found == (now[0] if target is ... else target)
    if kept is None:
        assert reason is None
    else:
        assert reason is not None
        assert re.search(kept, reason)


def test_tags_of_an_image_without_any() -> None:
    """Each engine says it in its own way."""
    for tags in (None, [], ["<none>:<none>"]):
        assert tags_of({"RepoTags": tags}) == ()
    assert tags_of({}) == ()
    assert tags_of({"RepoTags": ["app:1"]}) == ("app:1",)
