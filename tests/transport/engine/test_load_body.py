"""What is sent to an engine, and what it answers."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from lamella.errors import DigestMismatch, MalformedImage
from lamella.layer.blob import Blob, Bytes
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import oci_layer
from lamella.transport.engine.load_body import (
    LoadRefused,
    SentLayer,
    TarBody,
    docker_archive,
    oci_archive,
    read_answer,
)
from tests.support.images import config_of
from tests.transport.forms import compress

TARS = (b"base" * 300, b"new" * 1000)
CONFIG = Config.parse(json.dumps(config_of([Digest.of(tar) for tar in TARS])).encode(), "test")


def piece(tar: bytes, blob: Blob | None, *, stored: bytes | None = None) -> SentLayer:
    """Return a layer of the new image; without a blob, one that the engine has."""
    stored = tar if stored is None else stored
    descriptor = Descriptor(oci_layer(Codec.NONE), Digest.of(stored), len(stored))
    return SentLayer(Digest.of(tar), descriptor, blob, check=True, where="app: layer 1")


def files_of(body: TarBody) -> dict[str, bytes]:
    """Read a body as an engine would."""
    raw = b"".join(body)
    assert len(raw) == len(body)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {m.name: opened.read() for m in tar if (opened := tar.extractfile(m))}


def test_a_partial_docker_archive_names_all_layers() -> None:
    """And holds only what the engine lacks."""
    pieces = [piece(TARS[0], None), piece(TARS[1], Bytes(TARS[1]))]
    files = files_of(docker_archive(CONFIG, pieces, lambda _: None))
    names = [f"{Digest.of(tar).hex}.tar" for tar in TARS]
    (entry,) = json.loads(files.pop("manifest.json"))
    assert entry == {"Config": f"{CONFIG.digest.hex}.json", "RepoTags": None, "Layers": names}
    assert files == {names[1]: TARS[1], entry["Config"]: CONFIG.raw}


def test_a_partial_oci_archive_has_no_name() -> None:
    """A name that is not fully canonical would make an image that can't be removed."""
    zipped = compress("gzip", TARS[1])
    pieces = [piece(TARS[0], None), piece(TARS[1], Bytes(zipped), stored=zipped)]
    value = {
        "schemaVersion": 2,
        "config": Descriptor("c", CONFIG.digest, len(CONFIG.raw)).to_json(),
        "layers": [p.descriptor.to_json() for p in pieces],
    }
    manifest = Manifest.parse(json.dumps(value).encode(), "test")
    files = files_of(oci_archive(CONFIG, manifest, pieces, lambda _: None))
    index = json.loads(files.pop("index.json"))
    assert [m["digest"] for m in index["manifests"]] == [manifest.digest]
    assert "annotations" not in index["manifests"][0]
    assert json.loads(files.pop("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    blobs = (zipped, CONFIG.raw, manifest.raw)
    assert files == {f"blobs/sha256/{Digest.of(blob).hex}": blob for blob in blobs}


def test_a_repeated_layer_is_sent_once() -> None:
    """Its name stands twice in the list."""
    pieces = [piece(TARS[0], Bytes(TARS[0]))] * 2
    files = files_of(docker_archive(CONFIG, pieces, lambda _: None))
    assert len(files) == 3
    assert len(json.loads(files["manifest.json"])[0]["Layers"]) == 2


def test_progress_tells_each_byte_of_content() -> None:
    """The sum is what was sent of layers and metadata."""
    told: list[int] = []
    body = docker_archive(CONFIG, [piece(TARS[0], Bytes(TARS[0]))], told.append)
    files = files_of(body)
    assert sum(told) == sum(map(len, files.values()))
    assert body.is_sent


def test_damaged_bytes_are_never_sent_to_the_end() -> None:
    """The engine sees an archive that is cut off, and refuses it."""
    broken = TARS[0][:-1] + b"!"
    body = docker_archive(CONFIG, [piece(TARS[0], Bytes(broken))], lambda _: None)
    sent: list[bytes] = []
    with pytest.raises(DigestMismatch, match="app: layer 1"):
        sent.extend(body)
    assert sum(map(len, sent)) < len(body) - len(broken)
    assert not body.is_sent


def test_a_blob_that_became_shorter_is_noticed() -> None:
    """The length was said before."""

    class Shrinking(Bytes):
        @property
        def size(self) -> int:
            return len(self.content) + 1

    body = TarBody()
    body.add_piece(
        "x", SentLayer(Digest.of(b""), Descriptor("m", Digest.of(b""), 0), Shrinking(b"x"))
    )
    with pytest.raises(MalformedImage, match="1 bytes were read where 2 were expected"):
        b"".join(body)


@pytest.mark.parametrize(
    ("body", "lines", "problem"),
    [
        (b"", [], ""),
        (b'{"stream":"Loaded image ID: sha256:ab\\n"}\r\n', ["Loaded image ID: sha256:ab"], ""),
        (b'{"stream":"a\\n"}{"stream":"b\\n"}', ["a", "b"], ""),
        (b'{"status":"Loading layer","progressDetail":{"current":1},"id":"ab"}\r\n', [], ""),
        (b'{"errorDetail":{"message":"open x: no"},"error":"open x: no"}\r\n', [], "open x: no"),
        (b'{"error":"only this"}', [], "only this"),
        (b'{"stream":"a\\n"}\r\n{"errorDetail":{"message":"no"}}', ["a"], "no"),
        (
            b'{"stream":"Loaded image ID: x\\n"}{"stream":"Error unpacking image x: no\\n"}',
            ["Loaded image ID: x", "Error unpacking image x: no"],
            "Error unpacking image x: no",
        ),
        (b"<html>proxy</html>", [], ""),
        (b'garbage {"error":"no"} [] 1 {"stream":"a"}', ["a"], "no"),
        (b'{"stream":"cut o', [], ""),
    ],
)
def test_the_answer_is_read_for_errors(body: bytes, lines: list[str], problem: str) -> None:
    """They come after HTTP 200, in three different dresses."""
    assert read_answer(body) == (lines, problem)


def test_a_refusal_is_one_line() -> None:
    """Podman answers with a list."""
    error = LoadRefused("the engine", "no format fits:\n * oci: x\n * docker: y\n")
    assert str(error) == "the engine can't load the image: no format fits:; * oci: x; * docker: y"
