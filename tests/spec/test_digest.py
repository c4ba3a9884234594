from __future__ import annotations

import hashlib

import pytest

from lamella.errors import InvalidReference
from lamella.spec.digest import Digest, chain_ids

HEX = "0123456789abcdef" * 4


def test_digest_of_bytes_is_sha256() -> None:
    """`sha256:` and the hex digits of the hash."""
    digest = Digest.of(b"abc")
    assert digest == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"
    assert (digest.algorithm, digest.hex, digest.short) == ("sha256", digest[7:], digest[7:19])


@pytest.mark.parametrize("text", [f"sha256:{HEX}", f"sha512:{HEX * 2}"])
def test_registered_algorithms(text: str) -> None:
    """The two algorithms that the specification registers."""
    assert Digest.parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", HEX, "sha256:", f"sha256:{HEX[1:]}", f"sha256:{HEX}0", f"sha256:{HEX.upper()}"),
        *(
            f"SHA256:{HEX}",
            f"sha1:{HEX[:40]}",
            f"sha512:{HEX}",
            f"sha256:{HEX}\n",
            f"sha256:{'g' * 64}",
        ),
        *(None, 7, b"sha256:", [f"sha256:{HEX}"]),
    ],
)
def test_what_is_no_digest(text: object) -> None:
    """Exactly as many lower-case hex digits as the hash has, and text."""
    with pytest.raises(InvalidReference, match="invalid digest"):
        Digest.parse(text)


def test_chain_id_of_one_layer_is_its_diff_id() -> None:
    """ChainID(L0) = DiffID(L0)."""
    assert chain_ids([Digest.of(b"0")]) == [Digest.of(b"0")]
    assert chain_ids([]) == []


def test_chain_id_of_more_layers() -> None:
    """ChainID(L0|...|Ln) = Digest(ChainID(L0|...|Ln-1) + " " + DiffID(Ln))."""
    first, second, third = (Digest.of(bytes([n])) for n in range(3))
    two = Digest.of(f"{first} {second}".encode())
    assert chain_ids([first, second, third]) == [first, two, Digest.of(f"{two} {third}".encode())]
