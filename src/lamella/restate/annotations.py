"""Annotations as users give them, and which document each one is for.

``KEY`` is for each image's manifest and for the index, if there is one; ``manifest:KEY`` and
``index:KEY``, as in ``docker buildx build --annotation``, for one of both. As there, ``index:KEY``
is an error where no index is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lamella.errors import UsageError

__all__ = [
    "asked_for",
    "check_annotations",
    "for_image",
    "for_images",
    "for_index",
    "is_own",
    "read_pairs",
]

_MANIFEST, _INDEX = "manifest:", "index:"
_OWN = "dev.lamella."
"""Marks that lamella itself makes: on what the tag names, and nowhere if that can't have any."""
_OTHERS = ("manifest[", "manifest-descriptor", "index-descriptor", "index[", "manifest,", "index,")
"""Places that only builders tell apart."""


def read_pairs(texts: Iterable[str]) -> dict[str, str]:
    """Read ``KEY=VALUE``s.

    Raises:
        UsageError: one is none.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise UsageError(f"`annotations` {text!r:.200}: expected KEY=VALUE")
        found[key] = value
    return found


def check_annotations(given: Mapping[str, str]) -> None:
    """See to it that annotations can be written.

    Raises:
        UsageError: they can't.
    """
    for key, value in given.items():
        try:
            f"{key}{value}".encode()
        except UnicodeEncodeError:
            raise UsageError(f"`annotations`: expected UTF-8, got {key!a}={value!a:.200}") from None
        if not _name(key) or (":" in key and key.startswith(_OTHERS)):
            raise UsageError(f"`annotations` {key!r:.200}: expected KEY, manifest:KEY or index:KEY")


def for_image(given: Mapping[str, str]) -> dict[str, str]:
    """Return those of the manifest of an image that is in no index.

    Raises:
        UsageError: one is for an index.
    """
    for key in given:
        if key.startswith(_INDEX):
            raise UsageError(
                f"`annotations` {key!r:.200}: no index is written here; expected KEY, or "
                "`platform` all and an image for several platforms"
            )
    return _named(given)


def for_images(given: Mapping[str, str]) -> dict[str, str]:
    """Return those of each manifest that an index lists."""
    own = {k: v for k, v in given.items() if not k.startswith((_INDEX, _OWN))}
    return _named(own)


def for_index(given: Mapping[str, str]) -> dict[str, str]:
    """Return those of an index."""
    return _named({k: v for k, v in given.items() if not k.startswith(_MANIFEST)})


def asked_for(given: Mapping[str, str]) -> bool:
    """Whether a user wants any."""
    return not all(map(is_own, given))


def is_own(key: str) -> bool:
    """Whether an annotation is a mark of lamella's."""
    return key.startswith(_OWN)


def _named(given: Mapping[str, str]) -> dict[str, str]:
    return {_name(key): value for key, value in given.items()}


def _name(key: str) -> str:
    return key.removeprefix(_MANIFEST).removeprefix(_INDEX)
