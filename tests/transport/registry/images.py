"""Images into and out of a registry, by the book and without lamella."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.images import config_of, made_by

OCI = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "index": "application/vnd.oci.image.index.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
}
DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "index": "application/vnd.docker.distribution.manifest.list.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}


@dataclass(frozen=True)
class Client:
    """One who speaks to a registry with the standard library alone."""

    host: str
    ca: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request."""
        name, _, port = self.host.rpartition(":")
        connection = http.client.HTTPConnection(name, int(port))
        if self.ca is not None:
            context = ssl.create_default_context(cafile=str(self.ca))
            connection = http.client.HTTPSConnection(name, int(port), context=context)
        own = {key.replace("_", "-"): value for key, value in headers.items()}
        with closing(connection):
            connection.request(method, path, body, {**self.headers, **own})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def put_blob(self, repository: str, data: bytes) -> str:
        """Store a blob; return its digest."""
        digest = digest_of(data)
        status, headers, _ = self.ask("POST", f"/v2/{repository}/blobs/uploads/", b"")
        assert status == 202, status
        path = headers["Location"].split(self.host, 1)[-1]
        status, _, said = self.ask("PUT", f"{path}&digest={digest}", data)
        assert status == 201, said
        return digest

    def put_manifest(self, repository: str, reference: str, value: object, kind: str) -> str:
        """Store a manifest; return its digest."""
        raw = json.dumps(value).encode()
        path = f"/v2/{repository}/manifests/{reference}"
        status, _, said = self.ask("PUT", path, raw, Content_Type=kind)
        assert status == 201, said
        return digest_of(raw)

    def push(
        self,
        name: str,
        tars: Sequence[bytes],
        names: Mapping[str, str] = OCI,
        stored: Mapping[int, tuple[bytes, str]] | None = None,
        **config: object,
    ) -> str:
        """Store an image under ``REPOSITORY:TAG``; return its manifest's digest.

        Args:
            name: repository and tag; without a tag it has only its digest.
            tars: layers, stored with gzip.
            names: media types, `OCI` or `DOCKER`.
            stored: by position, layers that are stored otherwise, and their media types.
            config: further fields of the config.
        """
        repository, _, tag = name.partition(":")
        history = made_by(*(f"step {n}" for n in range(len(tars))))
        raw = json.dumps(config_of([digest_of(t) for t in tars], history, **config)).encode()
        layers = []
        for position, tar in enumerate(tars):
            default = gzip.compress(tar, 1, mtime=0), names["layer"]
            data, kind = (stored or {}).get(position, default)
            digest = self.put_blob(repository, data)
            layers.append({"mediaType": kind, "digest": digest, "size": len(data)})
        described = {"digest": self.put_blob(repository, raw), "size": len(raw)}
        manifest = {
            "schemaVersion": 2,
            "mediaType": names["manifest"],
            "config": {"mediaType": names["config"], **described},
            "layers": layers,
        }
        digest = digest_of(json.dumps(manifest).encode())
        return self.put_manifest(repository, tag or digest, manifest, names["manifest"])

    def manifest(self, repository: str, reference: str) -> dict[str, Any]:
        """Fetch a manifest."""
        accept = ", ".join([*OCI.values(), *DOCKER.values()])
        path = f"/v2/{repository}/manifests/{reference}"
        status, _, raw = self.ask("GET", path, Accept=accept)
        assert status == 200, raw
        value: dict[str, Any] = json.loads(raw)
        return value

    def blob(self, repository: str, digest: str) -> bytes:
        """Fetch a blob, and check it."""
        status, _, raw = self.ask("GET", f"/v2/{repository}/blobs/{digest}")
        assert status == 200, raw
        assert digest_of(raw) == digest
        return raw

    def pull(self, name: str) -> tuple[dict[str, Any], dict[str, Any], list[bytes]]:
        """Fetch an image: manifest, config and the layers' tars, all checked."""
        repository, _, tag = name.partition(":")
        manifest = self.manifest(repository, tag)
        config = json.loads(self.blob(repository, manifest["config"]["digest"]))
        tars = []
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            data = self.blob(repository, layer["digest"])
            assert len(data) == layer["size"]
            tars.append(gzip.decompress(data) if layer["mediaType"].endswith("gzip") else data)
            assert digest_of(tars[-1]) == diff_id
        return manifest, config, tars


def digest_of(data: bytes) -> str:
    """Return the digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
