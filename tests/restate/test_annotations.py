from __future__ import annotations

import re

import pytest

from lamella.errors import UsageError
from lamella.restate.annotations import (
    check_annotations,
    for_image,
    for_images,
    for_index,
    read_pairs,
)

GIVEN = {"a": "1", "manifest:b": "2", "index:c": "3", "dev.lamella.mark": "4"}


def test_each_document_has_its_own() -> None:
    """Marks of lamella's are for what a tag names."""
    assert for_images(GIVEN) == {"a": "1", "b": "2"}
    assert for_index(GIVEN) == {"a": "1", "c": "3", "dev.lamella.mark": "4"}


def test_an_image_alone_has_no_index() -> None:
    """So what is for the index is an error, as it is for Docker's builder."""
    own = {key: value for key, value in GIVEN.items() if key != "index:c"}
    assert for_image(own) == {"a": "1", "b": "2", "dev.lamella.mark": "4"}
    with pytest.raises(UsageError, match=re.escape("`annotations` 'index:c': no index is")):
        for_image(GIVEN)


def test_pairs_are_read() -> None:
    """A value may have anything in it; the last of two counts."""
    assert read_pairs(["a=b=c", "d=", "a=e"]) == {"a": "e", "d": ""}
    for text in ("a", "=b", ""):
        with pytest.raises(UsageError, match=f"`annotations` '{text}': expected KEY=VALUE"):
            read_pairs([text])


@pytest.mark.parametrize(
    "key", ["", "manifest:", "index:", "manifest[linux/amd64]:a", "manifest-descriptor:a"]
)
def test_places_that_nobody_knows_here_are_refused(key: str) -> None:
    """Those of one platform, and of descriptors."""
    with pytest.raises(UsageError, match="expected KEY, manifest:KEY or index:KEY"):
        check_annotations({key: "x"})
    check_annotations({"org.example:a": "x"})


def test_annotations_are_utf_8() -> None:
    """Arguments may be any bytes; documents can't."""
    for given in ({"a": "\udcff"}, {"\ud800": ""}):
        with pytest.raises(UsageError, match="expected UTF-8"):
            check_annotations(given)
