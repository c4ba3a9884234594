"""A registry in memory, with its token server: as much of the protocol as lamella speaks.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from tests.odd.answers import Answer, Asked, Oddly, serving
from tests.transport.registry.images import digest_of

__all__ = ["MemoryRegistry", "registry_in_memory"]

_BLOB = re.compile(r"/v2/(?P<repo>.+)/blobs/(?P<digest>sha256:[0-9a-f]{64})")
_MANIFEST = re.compile(r"/v2/(?P<repo>.+)/manifests/(?P<ref>[^/]+)")
_REFERRERS = re.compile(r"/v2/(?P<repo>.+)/referrers/(?P<digest>[^/]+)")
_TAGS = re.compile(r"/v2/(?P<repo>.+)/tags/list")
_UPLOADS = re.compile(r"/v2/(?P<repo>.+)/blobs/uploads/(?P<id>[^/]*)")


@dataclass
class MemoryRegistry:
    """Its content. Repositories share all blobs."""

    host: str = ""
    page: int = 1000
    """Names in one answer at most."""
    guarded: bool = False
    """Whether a token is wanted; anybody gets one, unless there is a login."""
    login: str = ""
    """Who gets a token, as NAME:PASSWORD."""
    lists_referrers: bool = False
    """Whether it has the lists of OCI 1.1: of manifests that have another as their subject."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    """By repository and tag or digest: media type and bytes."""
    uploads: dict[str, bytes] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> Answer:
        """Return the right answer."""
        with self.lock:
            if refused := self._challenged(asked):
                return refused
            if found := _MANIFEST.fullmatch(asked.path):
                return self._manifest(asked, found["repo"], found["ref"])
            if found := _BLOB.fullmatch(asked.path):
                return self._blob(asked, found["digest"])
            if found := _UPLOADS.fullmatch(asked.path):
                return self._upload(asked, found["repo"], found["id"])
            return self._listed(asked) or Answer(200 if asked.path == "/v2/" else 404, b"{}")

    def put(self, repo: str, ref: str, kind: str, raw: bytes) -> None:
        """Keep a manifest by its digest, too."""
        self.manifests[repo, ref] = self.manifests[repo, digest_of(raw)] = kind, raw

    def _manifest(self, asked: Asked, repo: str, ref: str) -> Answer:
        if asked.method == "PUT":
            self.put(repo, ref, asked.headers.get("content-type", ""), asked.body)
            headers = {"Docker-Content-Digest": digest_of(asked.body)}
            if self.lists_referrers and (subject := _subject(asked.body)):
                headers["OCI-Subject"] = subject
            return Answer(201, b"", headers)
        if (repo, ref) not in self.manifests:
            missing = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "not here"}]}
            return Answer(404, json.dumps(missing).encode())
        kind, raw = self.manifests[repo, ref]
        return Answer(200, raw, {"Content-Type": kind, "Docker-Content-Digest": digest_of(raw)})

    def _challenged(self, asked: Asked) -> Answer | None:
        given = asked.headers.get("authorization", "")
        if asked.path == "/token":
            if self.login and given != f"Basic {b64encode(self.login.encode()).decode()}":
                return Answer(401, b"{}")
            return Answer(200, b'{"token": "t"}', {"Content-Type": "application/json"})
        if self.guarded and not given:
            realm = f'Bearer realm="http://{self.host}/token",service="s"'
            return Answer(401, b"{}", {"Www-Authenticate": realm})
        return None

    def _listed(self, asked: Asked) -> Answer | None:
        if asked.path == "/v2/_catalog":
            return _page(asked, "repositories", {repo for repo, _ in self.manifests}, self.page)
        if self.lists_referrers and (found := _REFERRERS.fullmatch(asked.path)):
            return self._referrers(asked, found["repo"], found["digest"])
        found = _TAGS.fullmatch(asked.path)
        return self._tags(asked, found["repo"]) if found else None

    def _referrers(self, asked: Asked, repo: str, digest: str) -> Answer:
        """List one on each page."""
        listed = [
            {
                "mediaType": kind,
                "digest": own,
                "size": len(raw),
                "artifactType": json.loads(raw).get("artifactType", ""),
            }
            for (name, own), (kind, raw) in sorted(self.manifests.items())
            if name == repo and own == digest_of(raw) and _subject(raw) == digest
        ]
        at = int(dict(parse_qsl(asked.query)).get("at", 0))
        more = at + 1 < len(listed)
        headers = {"Link": f'<{asked.path}?at={at + 1}>; rel="next"'} if more else {}
        return Answer(200, json.dumps({"manifests": listed[at : at + 1]}).encode(), headers)

    def _tags(self, asked: Asked, repo: str) -> Answer:
        tags = {ref for name, ref in self.manifests if name == repo and ":" not in ref}
        if not any(name == repo for name, _ in self.manifests):
            return Answer(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}')
        return _page(asked, "tags", tags, self.page)

    def _blob(self, asked: Asked, digest: str) -> Answer:
        if digest not in self.blobs:
            return Answer(404, b'{"errors": [{"code": "BLOB_UNKNOWN"}]}')
        body = self.blobs[digest]
        if asked.headers.get("range", "").startswith("bytes="):
            start = int(asked.headers["range"][6:].partition("-")[0])
            told = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            return Answer(206, body[start:], told)
        return Answer(200, body, {"Docker-Content-Digest": digest})

    def _upload(self, asked: Asked, repo: str, name: str) -> Answer:
        if asked.method == "POST":
            name = str(len(self.uploads))
            self.uploads[name] = b""
        self.uploads[name] = self.uploads.get(name, b"") + asked.body
        if asked.method == "PUT":
            data = self.uploads.pop(name)
            self.blobs[digest_of(data)] = data
            return Answer(201, b"", {"Docker-Content-Digest": digest_of(data)})
        size = len(self.uploads[name])
        told = {
            "Location": f"/v2/{repo}/blobs/uploads/{name}?s=1",
            "Range": f"0-{max(0, size - 1)}",
        }
        return Answer(202, b"", told)


def _subject(raw: bytes) -> str:
    return str((json.loads(raw).get("subject") or {}).get("digest", ""))


def _page(asked: Asked, name: str, found: set[str], most: int) -> Answer:
    """List names from the one after ``last`` on, and say where the next are."""
    query = dict(parse_qsl(asked.query))
    names = [one for one in sorted(found) if one > query.get("last", "")]
    count = min(int(query.get("n", most)), most)
    more = urlencode({"n": count, "last": names[count - 1]}) if len(names) > count else ""
    headers = {"Link": f'<{asked.path}?{more}>; rel="next"'} if more else {}
    return Answer(200, json.dumps({name: names[:count]}).encode(), headers)


@contextmanager
def registry_in_memory(oddly: Oddly, port: int = 0) -> Iterator[MemoryRegistry]:
    """Serve a registry on a port of this machine; 0: any."""
    registry = MemoryRegistry()
    kind = serving(socketserver.TCPServer, lambda asked: oddly.say(asked, registry.answer(asked)))
    with kind(("127.0.0.1", port)) as server:
        registry.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()
