"""What a squash did as an in-toto statement, to be signed and handed on by others.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamella import __version__
from lamella.operations.result import Result

__all__ = ["PREDICATE", "attestation"]

_STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "dev.lamella:squash/v1"
"""The type of the predicate: a URI of a scheme of our own, named like our annotations. It grows
when a field of the predicate changes its meaning or goes, not when one is added."""


def attestation(result: Result) -> dict[str, Any]:
    """Return the statement about a new image, as JSON values (see docs/json.md).

    Its subject is the digest of the new manifest or, where the destination keeps none, the image
    ID. Of every platform: the index, and each image in it.

    Args:
        result: of a squash that was published.

    Raises:
        ValueError: it is that of a dry run: there is no image.
    """
    if result.dry_run:
        raise ValueError("a dry run makes no image of which anything could be stated")
    predicate = {"lamella": __version__, **_facts(result), "options": dict(result.asked)}
    if result.platforms:
        predicate["platforms"] = [
            {"platform": one.platform, **_facts(one)} for one in result.platforms
        ]
    return {
        "_type": _STATEMENT,
        "subject": list(_subjects(result)),
        "predicateType": PREDICATE,
        "predicate": predicate,
    }


def _subjects(result: Result) -> Iterator[dict[str, Any]]:
    name = next(iter(result.tags), "")
    yield _subject(name, result)
    for one in result.platforms:  # names of subjects are to differ
        yield _subject(f"{name} ({one.platform})".lstrip(), one)


def _subject(name: str, result: Result) -> dict[str, Any]:
    algorithm, _, digest = (result.digest or result.id).partition(":")
    return {**({"name": name} if name else {}), "digest": {algorithm: digest}}


def _facts(result: Result) -> dict[str, Any]:
    document = result.to_json()
    image = {key: document["image"][key] for key in ("reference", "id", "digest", "tags")}
    base = {"name": result.kept_name, "digest": result.kept_digest, "layers": result.kept}
    told = ("first", "last", "diff_id")
    return {
        "source": document["source"],
        "image": image,
        "base": base,
        "ranges": [
            {
                **{key: one[key] for key in told},
                "layers": [layer["diff_id"] for layer in one["layers"]],
            }
            for one in document["ranges"]
        ],
        "excluded": len(result.excluded),
        "verified": result.verified,
    }
