"""Image names: ``[HOST[:PORT]/]PATH[:TAG][@DIGEST]``.

The grammar is the one of https://github.com/distribution/reference (its `regexp.go`), with
Docker's short names: no host means docker.io, no path component means ``library/``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lamella.errors import InvalidReference

__all__ = ["Reference"]

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[\w][\w.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_GRAMMAR = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?",
    re.ASCII,
)
_LONGEST_NAME = 255


@dataclass(frozen=True)
class Reference:
    """A parsed image name. `name` is as it was typed; `tag` and `digest` are empty if not given."""

    name: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read an image name.

        Raises:
            InvalidReference: it breaks the grammar; the message says where it can be seen to.
        """
        match = _GRAMMAR.fullmatch(text)
        if not match or len(match["name"]) > _LONGEST_NAME:
            message = f"invalid image name {text!r}: {_complaint(text)}"
            raise InvalidReference(message)
        return cls(match["name"], match["tag"] or "", match["digest"] or "")

    @classmethod
    def parse_tag(cls, text: str) -> Reference:
        """Read a name that an image is to be given: no digest, ``:latest`` if no tag.

        Raises:
            InvalidReference: it breaks the grammar, or has a digest.
        """
        reference = cls.parse(text)
        if reference.digest:
            message = (
                f"invalid tag {text!r}: an image can't be given a digest; drop @{reference.digest}"
            )
            raise InvalidReference(message)
        return cls(reference.name, reference.tag or "latest")

    @property
    def has_registry(self) -> bool:
        """Whether the name says a registry: its first part has a dot, a port or upper case.

        https://github.com/distribution/reference, splitDockerDomain
        """
        first, slash, _ = self.name.partition("/")
        is_host = not {".", ":"}.isdisjoint(first) or first != first.lower()
        return bool(slash) and (first == "localhost" or is_host)

    @property
    def familiar(self) -> str:
        """The name as Docker shows it: without ``docker.io/`` and ``library/``."""
        name = self.name.removeprefix("docker.io/").removeprefix("library/")
        return self._join(name)

    def _join(self, name: str) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return name + tag + digest

    def __str__(self) -> str:
        """Return the name as it was typed."""
        return self._join(self.name)


def _complaint(text: str) -> str:
    name, _, tag = text.rpartition(":")
    if not text:
        return "it is empty"
    if text.endswith(":"):
        return "nothing follows the colon; expected NAME:TAG"
    if text != text.lower() and (not name or name != name.lower()) and "/" not in tag:
        meant = "-".join(text.lower().split())
        hint = f"; did you mean {meant!r}?" if _GRAMMAR.fullmatch(meant) else ""
        return f"repository names are lower case{hint}"
    if len(name or text) > _LONGEST_NAME:
        return f"names have at most {_LONGEST_NAME} characters"
    if len(tag) > 128 and "/" not in tag:  # noqa: PLR2004 - the grammar's own limit, see _TAG
        return "tags have at most 128 characters"
    return "expected [HOST/]NAME[:TAG], lower case letters, digits and single . _ - / between them"
