"""Content digests: ``sha256:<64 hex digits>``.

Rules: https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from lamella.errors import InvalidReference, Unsupported

__all__ = ["Digest", "chain_ids"]

_ALGORITHM = "sha256"
"""Of all digests that are made."""
_GRAMMAR = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class Digest(str):
    """An algorithm and the hex digits of a hash, as the standard writes them."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Digest:
        """Check and take over a digest.

        Raises:
            InvalidReference: it isn't one, or its algorithm is not registered by the standard.
        """
        if not isinstance(text, str) or not _GRAMMAR.fullmatch(text):
            message = f"invalid digest {text!r}; expected sha256:<64 hex digits>"
            raise InvalidReference(message)
        return cls(text)

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """Return the SHA-256 digest of some bytes."""
        return cls.of_hash(hashlib.sha256(content))

    @classmethod
    def of_hash(cls, hashed: hashlib._Hash) -> Digest:
        """Return what a hash of `new_hash` came to."""
        return cls(f"{hashed.name}:{hashed.hexdigest()}")

    @classmethod
    def of_hex(cls, digits: str) -> Digest:
        """Return the SHA-256 digest of 64 hex digits, as names of files have them."""
        return cls(f"{_ALGORITHM}:{digits}")

    @staticmethod
    def new_hash() -> hashlib._Hash:
        """Return what hashes bytes for a new digest, part by part."""
        return hashlib.sha256()

    def check_algorithm(self, where: str) -> None:
        """See to it that content can be checked against it: no tool is known to write others.

        Raises:
            Unsupported: its algorithm is another than SHA-256.
        """
        if self.algorithm != _ALGORITHM:
            raise Unsupported(f"{where}: {self:.24}…: only {_ALGORITHM} can be checked")

    @property
    def algorithm(self) -> str:
        """``sha256`` or ``sha512``."""
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        """The hash alone."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first twelve digits, as engines show it."""
        return self.hex[:12]


def chain_ids(diff_ids: Iterable[Digest]) -> list[Digest]:
    """Return the chain ID of each layer, base first.

    Source of the rule:
    https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid
    """
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(Digest.of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain
