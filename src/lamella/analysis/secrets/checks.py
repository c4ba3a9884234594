"""Whether what has the form of a token can be one: checksums, structures, and placeholders."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib

__all__ = [
    "has_age_checksum",
    "has_base62_crc",
    "is_account_key",
    "is_discord_token",
    "is_macaroon",
    "is_password",
    "is_random",
    "is_web_token",
]

_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CRC_LENGTH = 6
_PLACEHOLDER = re.compile(
    rb"(?i)(.)\1{5}|example|placeholder|your|dummy|redacted|1234567|abcdefg|0123456|deadbeef"
)
_FEW = 20
"""Fewer characters than this may well be all alike."""
_DIFFERENT = 7
"""Different characters that a longer one has at least: of 32 random hexadecimal digits all but one
in a hundred million have more."""
_NO_PASSWORDS = re.compile(
    rb"""(?ix) [*x.]+ | (?:my_?|your_?|the_?|some_?|db_?|user_?|test_?)?
    (?:pass(?:word|wd|phrase)?|pwd?|secret|token|hidden|api_?key|credentials?|key|value)\d{0,4} |
    change[-_]?(?:me|it|this) | redacted | example | placeholder | dummy | foo(?:bar)? | bar | baz |
    abc | xyz(?:zy)? | test(?:ing)? | user(?:name)? | login | auth | admin | root | guest |
    postgres | none | null | nil | undefined | empty | unset | default | todo | tbd | required |
    optional | disabled? | enabled? | true | false | yes | no | on | off | unused | random |
    auto | prompt | ask | files? | file\ssystemd | -"""
)
_VARIABLE = re.compile(rb"""[$%<{(\[`]|.*(?:\$\{|\{\{|%\(|<[a-z_ -]+>|%[sdv]\b)""", re.DOTALL)
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_KEY_SIZE = 64
# The key of Azure's storage emulator: the same everywhere, and in its manual.
_EMULATOR = "0011cc25eb432071"
_SIGNATURE = 20


def is_random(value: bytes) -> bool:
    """Whether a value can be random: no placeholder, no row of the same characters."""
    if _PLACEHOLDER.search(value):
        return False
    return len(value) < _FEW or len(set(value)) >= _DIFFERENT


def is_password(value: bytes) -> bool:
    """Whether a value can be a password: no variable, no placeholder, no word that all know."""
    return not (_VARIABLE.match(value) or _NO_PASSWORDS.fullmatch(value)) and is_random(value)


def has_base62_crc(token: bytes) -> bool:
    """Whether the last six characters are the CRC-32 of those after the prefix, in base 62.

    So tokens of GitHub and npm are made:
    https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    """
    body = token.rpartition(b"_")[2]
    rest, digits = zlib.crc32(body[:-_CRC_LENGTH]), b""
    for _ in range(_CRC_LENGTH):
        rest, digit = divmod(rest, len(_BASE62))
        digits = _BASE62[digit : digit + 1] + digits
    return body.endswith(digits)


def has_age_checksum(key: bytes) -> bool:
    """Whether a key of age has the checksum of Bech32; BIP 173 defines it."""
    prefix, _, data = key.decode("ascii").lower().rpartition("1")
    expanded = [ord(one) >> 5 for one in prefix] + [0] + [ord(one) & 31 for one in prefix]
    check = 1
    for value in (*expanded, *map(_BECH32.index, data)):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check == 1


def is_macaroon(token: bytes) -> bool:
    """Whether what follows PyPI's prefix is base64 of a serialized macaroon."""
    raw = _decoded(token.partition(b"-")[2])
    return raw is not None and raw[:1] == b"\x02" and is_random(token)


def is_account_key(key: bytes) -> bool:
    """Whether a value is base64 of as many bytes as an Azure storage key has, and not known."""
    raw = _decoded(key)
    known = hashlib.sha256(key).hexdigest().startswith(_EMULATOR)
    return raw is not None and len(raw) == _KEY_SIZE and not known and is_random(key)


def is_discord_token(token: bytes) -> bool:
    """Whether the first part is the number of a bot, in base64."""
    raw = _decoded(token.partition(b".")[0])
    return raw is not None and raw.isdigit() and is_random(token)


def is_web_token(token: bytes) -> bool:
    """Whether header and payload of a JSON web token are JSON, and it is signed.

    The specification's own example, and that of its best known page, are none.
    """
    first, second, signature = token.split(b".")
    header, payload = _json(first), _json(second)
    if not isinstance(header, dict) or not isinstance(payload, dict):
        return False
    if str(header.get("alg", "none")).lower() == "none" or len(signature) < _SIGNATURE:
        return False
    shown = payload.get("name") == "John Doe" or "http://example.com/is_root" in payload
    return not shown and len(set(signature)) >= _DIFFERENT


def _json(part: bytes) -> object:
    raw = _decoded(part)
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None


def _decoded(text: bytes) -> bytes | None:
    """Decode base64 of either alphabet, padded or not."""
    plain = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
