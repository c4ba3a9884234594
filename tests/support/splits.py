"""Layers taken apart, as Docker's overlay2 keeps them: made here, without any engine."""

from __future__ import annotations

import base64
import gzip
import json
import os
from pathlib import Path
from typing import Any

from fastcrc import crc64

from lamella.layer.blob import Bytes
from lamella.spec.digest import Digest
from lamella.tar.entry import REGULAR, SYMLINK
from lamella.tar.scan import scan
from lamella.transport.engine.store.tar_split import SplitLayer

__all__ = ["add", "pack", "take_apart", "unpack"]


def take_apart(tar: bytes, folder: Path, *, with_content: bool = True) -> SplitLayer:
    """Write a layer's tar-split file, and its files, to a folder."""
    lines: list[dict[str, Any]] = []
    content = folder / "diff"
    content.mkdir(parents=True)
    at = 0
    for member in scan(Bytes(tar)):
        add(lines, {"type": 2, "payload": base64.b64encode(tar[at : member.data]).decode()})
        at = member.data + member.size
        data = tar[member.data : at]
        checksum = base64.b64encode(crc64.go_iso(data).to_bytes(8, "big")).decode()
        about = {"size": len(data), "payload": checksum} if data else {"payload": None}
        add(lines, {"type": 1, **_name(member.path), **about})
        if with_content and (member.type == SYMLINK or (member.type == REGULAR and data)):
            path = content / os.fsdecode(member.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if member.type == SYMLINK:
                path.symlink_to(os.fsdecode(member.link))
            else:
                path.write_bytes(data)
    add(lines, {"type": 2, "payload": base64.b64encode(tar[at:]).decode()})
    headers = folder / "tar-split.json.gz"
    pack(headers, lines)
    return SplitLayer(headers, content, Digest.of(tar), "app: layer 1")


def add(lines: list[dict[str, Any]], line: dict[str, Any]) -> None:
    """Append a line, numbered."""
    lines.append({**line, "position": len(lines)})


def _name(path: bytes) -> dict[str, str]:
    try:
        return {"name": path.decode()}
    except UnicodeDecodeError:
        return {"name_raw": base64.b64encode(path).decode()}


def pack(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write a tar-split file."""
    path.write_bytes(gzip.compress("".join(_format(line) for line in lines).encode()))


def _format(line: object) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def unpack(path: Path) -> list[dict[str, Any]]:
    """Read a tar-split file."""
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
