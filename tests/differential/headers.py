"""Odd tars by the thousand: every format, magic, number and extended header in every combination.

Each part is most often as it should be,
so that a tar has one or two odd parts; where all are odd,
readers stop at the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from lamella.tar.header import BLOCK, FIELDS, NO_CHECKSUM, padding
from lamella.tar.pax import format_records

__all__ = ["odd_tar"]

_MAGICS = [
    b"ustar\00000",
    b"ustar  \0",
    bytes(8),
    b"ustar\0 0",
    b"ustar  0",
    b"ustar\0\0\0",
    b"xstar\00000",
]
_NAMES = [
    b"a/b", b"d/", b"./c", b"/e", b"a//f", b"", b"/", b".", b"g/../h", b"n\xc3\xa9", b"\xff/x",
    b"q\0junk", b"n" * 100, b"m" * 99 + b"/", b".wh.x", b"d/.wh..wh..opq", b"o\\p", b"a b",
]  # fmt: skip
_LONG_NAMES = [
    b"l" * 120,
    b"k/" * 70 + b"z",
    b"d" * 130 + b"/",
    b"\xc3\xa9" * 60,
    b"t" * 300,
    b"s/" * 2200,
]
_TYPES = [b"0", b"\0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"S"]
_ODD_TYPES = [b"A", b"D", b"V", b"N", b"M", b" ", b"8", b"\xff", b"X"]
_SIZES = [0, 0, 1, 5, 511, 512, 513, 1500]
_PREFIXES = [
    b"pre",
    b"p/q",
    b"p" * 155,
    b"pr\xc3\xa9",
    b"p\0q",
    b"0000000001",
    b" 17 ",
    b"12345670123\00001234567 ",
    b"x/" * 60,
]
_TIMES = [
    b"00000000012\0" * 2, b"\0" * 12 + b"x" * 12, b"\x80" + bytes(10) + b"\5" + bytes(12),
    b"\0" * 24,
    b"77777777777 " + b"  1234 \0\0\0\0\0", b"8" * 12, b"\xff" * 24, b"\x80" + b"\xff" * 11,
]  # fmt: skip
_INTEGERS = [
    b"0", b"1", b"+5", b"-3", b"007", b"1_0", b" 1", b"1 ", b"0x1", b"", b"9223372036854775807",
    b"1e3",
    b"9223372036854775808", b"-9223372036854775808", b"0" * 30 + b"7", b"\xd9\xa3", b"1.0",
    b"-", b"+",
]  # fmt: skip
_SECONDS = [
    b"1234567890.123456789", b"1234567890.5", b"1234567890", b"-1.5", b"-0.25", b"+1.5", b"1.",
    b".5", b"",
    b"1.1234567891234", b"1.x", b"1 .5", b"1.5 ", b"1..2", b"-.5", b"99999999999",
    b"1234567890.000", b"1,5",
]  # fmt: skip
_XATTRS = [b"SCHILY.xattr.user.a", b"SCHILY.xattr.", b"SCHILY.xattr.security.capability"]
_OTHERS = [b"comment", b"LIBARCHIVE.creationtime", b"x\0y", b"k" * 40]


def odd_tar(seed: int) -> bytes:
    """Return one tar of one to three members; the same for the same seed."""
    return _Maker(Random(seed)).tar()


class _Maker:
    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def _odd(self, chance: float = 0.08) -> bool:
        return self._rng.random() < chance

    def _one(self, options: Sequence[bytes]) -> bytes:
        return self._rng.choice(options)

    def tar(self) -> bytes:
        members = [self._member() for _ in range(self._rng.choice([1, 1, 2, 3]))]
        end = bytes(2 * BLOCK)
        if self._odd(0.15):
            ends = [
                b"",
                bytes(BLOCK),
                bytes(BLOCK) + b"x" * BLOCK,
                bytes(100),
                bytes(BLOCK + 9),
                end + b"x",
            ]
            end = self._one(ends)
        raw = b"".join(members) + end
        return raw[: self._rng.randrange(len(raw) + 1)] if self._odd(0.02) else raw

    def _member(self) -> bytes:
        kinds = [
            self._one([b"x", b"x", b"L", b"K", b"g"])
            for _ in range(self._rng.choice([0, 0, 1, 1, 2, 3]))
        ]
        kind = self._one(_ODD_TYPES if self._odd(0.02) else _TYPES)
        size = self._rng.choice(_SIZES)
        content = b"".join(b"line %d\n" % n for n in range(300))[:size]
        before = []
        for extension in kinds:
            body, size, content = self._extension(extension, size, content)
            before.append(self._block(extension, len(body)) + body + self._pad(len(body)))
        more = b""
        if kind == b"S":
            header, more = self._old_sparse(size)
        else:
            header = self._block(kind, size)
        if kind in b"123456" and not self._odd():
            content = b""  # its size means nothing, then
        if self._odd(0.03):
            content = content[: self._rng.randrange(len(content) + 1)]
        return b"".join(before) + header + more + content + self._pad(len(content))

    def _pad(self, length: int) -> bytes:
        return bytes(padding(length)) if not self._odd(0.01) else b"x" * padding(length)

    # -- a header

    def _block(self, kind: bytes, size: int, tail: Callable[[], bytes] | None = None) -> bytes:
        magic = _MAGICS[0] if self._odd(0.4) else self._one(_MAGICS)
        name = self._one(_NAMES)
        rest = b"" if tail is None else tail()
        if tail is None and self._odd(0.25):
            rest = self._one(_PREFIXES) if self._odd(0.6) else self._one(_TIMES)
        if magic[:6] == b"ustar\0" and self._odd(0.15):
            times = self._one(
                [
                    bytes(24),
                    b"00000000012\0" * 2,
                    b"x" * 24,
                    b"\x80" + bytes(11) + b" 1" + bytes(10),
                ]
            )
            rest = rest[:131].ljust(131, b"\0") + times + bytes(8) + b"tar\0"
        block = FIELDS.pack(
            name,
            self._number(0o644, 8),
            self._number(self._rng.choice([0, 1000, 2097151]), 8),
            self._number(0, 8),
            self._number(size, 12),
            self._number(self._rng.choice([0, 1234567890]), 12),
            NO_CHECKSUM,
            kind,
            self._one(_NAMES) if kind in {b"1", b"2"} or self._odd(0.1) else b"",
            magic[:6],
            magic[6:],
            self._one([b"root", b"", b"r\0x", b"u" * 32]),
            self._one([b"root", b"", b"\xff"]),
            self._number(5, 8),
            self._number(self._rng.choice([0, 5]), 8),
            b"",
        )
        return self._sealed(block[:345] + rest.ljust(167, b"\0")[:167])

    def _number(self, value: int, width: int) -> bytes:
        if not self._odd(0.02):
            return b"%0*o\0" % (width - 1, value)
        octal = b"%o" % value
        forms = [
            octal.rjust(width - 1) + b" ", octal.ljust(width), octal.ljust(width, b"\0"),
            bytes(width),
            b" " * width, b"%0*o" % (width, value), (value | 1 << 8 * width - 1).to_bytes(width,
            "big"),
            b"\xff" * width, b"\xff" + b"\xfe" * (width - 1), b"\x80" + b"\xff" * (width - 1),
            b"\xc0" + bytes(width - 1), b"\x81" + bytes(width - 1), b"8".rjust(width - 1,
            b"0") + b"\0",
            b"+" + octal.rjust(width - 2, b"0") + b"\0", b"-1".ljust(width, b"\0"),
            b"1_0".ljust(width, b"\0"),
            b"0o7".ljust(width, b"\0"), (octal + b"\0x").ljust(width, b"\0")[:width],
            (octal + b" \0" + octal)[:width].ljust(width, b" "), b"1 1".ljust(width, b"\0"),
            b"x" * width,
            (b"\0" + octal).ljust(width, b" ")[:width], (b"\t" + octal).ljust(width,
            b"\0")[:width],
            (octal + b"\n").ljust(width, b"\0")[:width],
        ]  # fmt: skip
        return self._one(forms)[:width]

    def _sealed(self, block: bytes) -> bytes:
        block = block[:148] + NO_CHECKSUM + block[156:]
        unsigned = sum(block)
        told = unsigned
        if self._odd(0.02):
            told = self._rng.choice(
                [sum(b - 256 if b > 127 else b for b in block), unsigned + 1, 0]
            )
        field = b"%06o\0 " % (told & 0o777777)
        if self._odd(0.05):
            forms = [b"%07o\0", b"%8o", b"%o\0", b"%06o \0", b"%o  ", b"0%06o "]
            field = (self._one(forms) % (told & 0o777777)).ljust(8, b"\0")[:8]
        elif self._odd(0.01):
            field = (told | 1 << 63).to_bytes(8, "big")
        return block[:148] + field + block[156:]

    # -- extended headers

    def _extension(self, kind: bytes, size: int, content: bytes) -> tuple[bytes, int, bytes]:
        """Return its body, and the size and content of the member that fit to it."""
        if kind in b"LK":
            name = self._one(_LONG_NAMES if self._odd(0.6) else _NAMES)
            return name + self._one([b"\0", b"", b"\0\0junk"]), size, content
        records = [self._record(size) for _ in range(self._rng.choice([1, 1, 2, 3]))]
        if kind == b"x" and self._odd(0.2):
            sparse, size, content = self._pax_sparse(size, content)
            records[self._rng.randrange(len(records)) :] = sparse
        if self._odd(0.1):
            key = self._rng.choice(records)[0]
            records.append((key, self._one([b"", b"again", b"7"])))
        for key, value in records:
            if key == b"size" and value.isdigit() and int(value) < 1 << 16:
                size = int(value)
                content = content.ljust(size, b"c")[:size]
        return self._spoilt(format_records(records)), size, content

    def _record(self, size: int) -> tuple[bytes, bytes]:
        key = self._one(
            [b"path", b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime", b"mtime",
            b"atime", b"ctime", b"uname",
             b"gname", *_XATTRS, *_OTHERS]
        )  # fmt: skip
        if key in {b"path", b"linkpath"}:
            return key, self._one(_LONG_NAMES if self._odd(0.5) else _NAMES)
        if key == b"size":
            return key, b"%d" % size if not self._odd(0.3) else self._one(_INTEGERS)
        if key in {b"uid", b"gid"}:
            return key, b"4000000" if self._odd(0.8) else self._one(_INTEGERS)
        if key[1:] == b"time":
            return key, b"1234567890.5" if self._odd(0.6) else self._one(_SECONDS)
        return key, self._one([b"v", b"", b"\0\1\xff", b"a=b", b"n\ny"])

    def _spoilt(self, body: bytes) -> bytes:
        if not self._odd(0.05):
            return body
        forms = [
            b"+" + body, b"0" + body, b" " + body, body.replace(b"=", b"", 1), body[:-1],
            body[:-1] + b"x",
            body + b"4 a\n", body + b"6 a=b\n", body + b"5 =b\n", body + b"4 =\n",
            body + b"5 a=\n", body + b"\0" * 9,
            body + b"x" * 30, body + b"99 a=b\n", body + b"-6 a=b\n", b"0" * 25 + body, b"",
            body.replace(b" ", b"\t", 1),
            body + b"1_0 abc=d\n", body + b"7 a==b\n",
        ]  # fmt: skip
        return self._one(forms)

    # -- sparse files

    def _parts(self, stored: int) -> tuple[list[int], int]:
        """Return offsets and lengths by turns, and the size of the file."""
        numbers, at, left = list[int](), 0, stored
        for _ in range(self._rng.randrange(6)):
            length = min(left, self._rng.choice([0, 1, 512, 700]))
            at += self._rng.choice([0, 10, 1000])
            numbers += [at, length]
            at, left = at + length, left - length
        numbers += [at + 5, left]
        size = at + 5 + left + self._rng.choice([0, 0, 100])
        if self._odd(0.15):
            wrong = self._rng.choice([-1, 0, 3, 10**6, 2**63 - 1, 2**63])
            numbers[self._rng.randrange(len(numbers))] = wrong
        if self._odd(0.1):
            size = self._rng.choice([0, 1, size + 10**6, -5])
        return numbers, size

    def _pax_sparse(
        self, size: int, content: bytes
    ) -> tuple[list[tuple[bytes, bytes]], int, bytes]:
        numbers, full = self._parts(size)
        texts = [b"%d" % n for n in numbers]
        if self._odd():
            texts[self._rng.randrange(len(texts))] = self._one(_INTEGERS)
        count = b"%d" % (len(texts) // 2) if not self._odd() else self._one(_INTEGERS)
        records = [(self._one([b"GNU.sparse.size", b"GNU.sparse.realsize"]), b"%d" % full)]
        if self._odd(0.5):
            records.append((b"GNU.sparse.name", self._one([*_NAMES, b"", b"a\0b"])))
        form = self._rng.choice(["0.0", "0.1", "1.0"])
        if form != "1.0":
            records.append((b"GNU.sparse.numblocks", count))
        if form == "0.0":
            keys = [b"GNU.sparse.offset", b"GNU.sparse.numbytes"]
            pairs = [(keys[n % 2], text) for n, text in enumerate(texts)]
            if self._odd():
                pairs.pop(self._rng.randrange(len(pairs)))
            records += pairs
        elif form == "0.1":
            records.append((b"GNU.sparse.map", b",".join(texts)))
        else:
            lines = b"".join(line + b"\n" for line in [count, *texts])
            if self._odd():
                lines = lines.replace(b"\n", b"\n\n", 1)
            content = lines + bytes(padding(len(lines))) + content
            size = len(content)
        if form == "1.0" or self._odd(0.3):
            major, _, minor = form.partition(".")
            version = [
                (b"GNU.sparse.major", major.encode()), (b"GNU.sparse.minor", minor.encode()),
            ]  # fmt: skip
            if self._odd():
                version = [(key, self._one([b"2", b"", b"0", b"01"])) for key, _ in version]
            records += version if not self._odd() else version[:1]
        return records, size, content

    def _old_sparse(self, stored: int) -> tuple[bytes, bytes]:
        numbers, full = self._parts(stored)
        pairs = [
            self._number(max(0, min(a, 8**11 - 1)), 12)
            + self._number(max(0, min(b, 8**11 - 1)), 12)
            for a, b in zip(numbers[::2], numbers[1::2], strict=True)
        ]

        def tail() -> bytes:
            """Return what is behind the device numbers: times, pairs, a flag, the size."""
            more = b"\1" if len(pairs) > 4 else b"\0"
            times = bytes(41) if not self._odd() else self._one(_TIMES).ljust(41, b"\0")
            return (
                times + b"".join(pairs[:4]).ljust(96, b"\0") + more + self._number(max(0, full), 12)
            )

        more = b"".join(pairs[4:]).ljust(BLOCK, b"\0") if len(pairs) > 4 else b""
        header = self._block(b"S", stored, tail)
        if header[257:265] != b"ustar  \0" and not self._odd():
            header = self._sealed(header[:257] + b"ustar  \0" + header[265:])
        return header, more
