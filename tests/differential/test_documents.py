"""Documents as lamella reads them, beside Go's ``encoding/json``, which all engines use.

Differences that are meant, and left out of what is made here:

| document | Go | lamella | why |
|---|---|---|---|
| `null` as a whole | reads it as an empty one | refuses it | nothing is in it |
| nested 501 to 10,000 deep | reads it | refuses it | no tool writes any; bounded work |
| `created` that is no time | refuses it | reads it as text | it is shown, never reckoned with |
| `data` that is no base64 | refuses it | reads it as text | it is never read |
| `Cmd`, `Entrypoint` of another type | some programs refuse it | keeps it | Docker takes text |
| `rootfs: null` after a `rootfs` | Docker forgets it, OCI's readers don't | keeps it | as OCI |
| a list written three times or more | keeps parts of longer ones | forgets them | a quirk of Go |
"""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamella.errors import MalformedImage
from lamella.spec.fields import ARCHIVE_ENTRY, CONFIG, INDEX, MANIFEST
from lamella.spec.json import (
    BOOLEAN,
    INTEGER,
    TEXT,
    Fields,
    Many,
    Named,
    parse_json,
    parse_json_list,
)
from tests.differential.go import build
from tests.engines.tools import Tool
from tests.support.machine import share

KINDS: dict[str, Fields | Many] = {
    "manifest": MANIFEST,
    "index": INDEX,
    "config": CONFIG,
    "archive": Many(ARCHIVE_ENTRY),
}
COUNT = int(os.environ.get("LAMELLA_DOCUMENTS", share(20_000, least=1000)))
TEXTS = [
    '"a"',
    '""',
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"\\udc00x"',
    '"é"',
    '"\\u0041"',
    '"\\ud800\\ud800\\udc00"',
]
BYTES = [b'"\xff"', b'"\xe2\x82"', b'"\xed\xa0\x80"', b'"\xf0\x9f\x98"', b'"\xc0\xaf"', b'"\t"']
NUMBERS = [
    "0",
    "-0",
    "7",
    "1.0",
    "1e3",
    "-5",
    "9223372036854775807",
    "9223372036854775808",
    "1" * 40,
    "01",
    "1.",
]
ODD = ["true", "[]", "{}", '"x"', "5", "null", "nul", "NaN", "[1]", '{"a":1}']
FRAMES = [b"%s"] * 30 + [
    b" \n\t\r%s ",
    b"%s x",
    b"\xef\xbb\xbf%s",
    b"%s,",
    b"\x0b%s",
    b"\xc2\xa0%s",
    b"%s\0",
]


class Writer:
    """Writes documents that are mostly right, and wrong here and there."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, kind: Any) -> bytes:  # noqa: ANN401, PLR0911 - a table of kinds
        """Write a value of a kind, or something else."""
        pick, chance = self.random.choice, self.random.random()
        if chance < 0.06:
            return b"null"
        if chance < 0.064:
            return pick(ODD).encode()
        match kind:
            case Fields(kinds):
                return self.fields(kinds)
            case Many(of):
                return b"[" + b",".join(self.value(of) for _ in range(pick([0, 1, 1, 2]))) + b"]"
            case Named(of):
                names = [pick([b'"a"', b'"A"', b'"b"', b'"\xff"']) for _ in range(pick([0, 1, 2]))]
                return b"{" + b",".join(name + b":" + self.value(of) for name in names) + b"}"
        if kind == TEXT:
            return pick(BYTES[:-1]) if chance > 0.97 else pick(TEXTS).encode()
        if kind == INTEGER:
            return pick(NUMBERS if chance > 0.9 else NUMBERS[:3]).encode()
        return pick([b"true", b"false"]) if kind == BOOLEAN else b'"any"'

    def fields(self, kinds: Any) -> bytes:  # noqa: ANN401 - as above
        """Write an object of some fields, a few of them twice or in another case."""
        names = [name for name in kinds if kinds[name] != "any value"]
        names = self.random.sample(names, min(len(names), self.random.randint(0, 4)))
        if names and self.random.random() < 0.3:
            names.append(self.random.choice(names))
        members = [self.name(name) + b":" + self.value(kinds[name]) for name in names]
        if self.random.random() < 0.2:
            members.append(b'"x-unknown":' + self.random.choice(ODD[:6]).encode())
        return b"{" + b",".join(members) + b"}"

    def name(self, name: str) -> bytes:
        """Write a name, in any case."""
        changes: list[Callable[[str], str]] = [str, str, str, str.upper, str.lower]
        changes += [str.title, _folding]
        change = self.random.choice(changes)
        return json.dumps(change(name), ensure_ascii=self.random.random() < 0.5).encode()

    def document(self) -> tuple[str, bytes]:
        """Write a document of some kind."""
        kind = self.random.choice(list(KINDS))
        while (value := self.value(KINDS[kind])) == b"null":
            pass
        return kind, self.random.choice(FRAMES) % value


def _folding(name: str) -> str:
    return name.replace("s", "\u017f").replace("k", "\u212a")


@pytest.fixture(scope="module")
def reader(go: Tool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program in Go."""
    return build(go, Path(__file__).with_name("documents.go"), tmp_path_factory.mktemp("go"))


def by_go(reader: Path, documents: list[tuple[str, bytes]]) -> list[Any]:
    """Let Go read documents; None for those that it refuses."""
    lines = "".join(f"{kind} {base64.b64encode(raw).decode()}\n" for kind, raw in documents)
    done = subprocess.run([reader], input=lines.encode(), capture_output=True, check=True)
    answers = done.stdout.decode().splitlines()
    return [None if line == "error" else json.loads(line) for line in answers]


def by_us(kind: str, raw: bytes) -> Any:  # noqa: ANN401 - JSON
    """Read a document; None if it is refused."""
    fields = KINDS[kind]
    try:
        if isinstance(fields, Many):
            return [completed(item, fields.of) for item in parse_json_list(raw, kind, fields.of)]
        return completed(parse_json(raw, kind, fields), fields)
    except MalformedImage:
        return None


def completed(value: Any, kind: Any) -> Any:  # noqa: ANN401 - JSON
    """Say what Go's variables hold at first where nothing was said, and leave out the unknown."""
    if isinstance(kind, str):
        return {TEXT: "", INTEGER: 0, BOOLEAN: False}[kind] if value is None else value
    if isinstance(kind, Fields) and (value is not None or not kind.is_pointer):
        known = {name: of for name, of in kind.kinds.items() if of != "any value"}
        return {name: completed((value or {}).get(name), of) for name, of in known.items()}
    if isinstance(kind, Many) and value is not None:
        return [completed(item, kind.of) for item in value]
    if isinstance(kind, Named) and value is not None:
        return {name: completed(item, kind.of) for name, item in value.items()}
    return value


@pytest.mark.engine
def test_documents_are_read_as_go_reads_them(reader: Path) -> None:
    """Of many documents, right and wrong, each is refused by both or read alike by both."""
    writer = Writer(7)
    documents = [writer.document() for _ in range(COUNT)]
    theirs = by_go(reader, documents)
    ours = [by_us(kind, raw) for kind, raw in documents]
    pairs = zip(documents, ours, theirs, strict=True)
    different = [(raw, mine, go) for (_, raw), mine, go in pairs if mine != go]
    assert different == []
    assert len(documents) / 4 < sum(go is not None for go in theirs) < len(documents)
