"""A Docker engine in memory: as much of its API as lamella uses, for one image.

https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.odd.answers import Answer, Asked, Oddly, serving
from tests.transport.registry.images import digest_of

__all__ = ["MemoryEngine", "engine_in_memory"]


@dataclass
class MemoryEngine:
    """Its content: one archive, as `docker save` writes it, and what it says of the image."""

    archive: bytes
    config: bytes

    def answer(self, asked: Asked) -> Answer:
        """Return the right answer."""
        last = asked.path.rpartition("/")[2]
        if asked.path == "/_ping":
            return Answer(200, b"OK", {"Api-Version": "1.41", "Ostype": "linux"})
        if asked.path.startswith("/images/") and last == "get":
            return Answer(200, self.archive, {"Content-Type": "application/x-tar"})
        if asked.method == "POST" and last == "tag":
            return Answer(201)
        return _json(self._told(asked, last))

    def _told(self, asked: Asked, last: str) -> object:
        """Return what the answer says, as JSON."""
        config, image = json.loads(self.config), digest_of(self.config)
        diff_ids = config["rootfs"]["diff_ids"]
        made = {"Id": image, "CreatedBy": "RUN a", "Size": 1, "Created": 1, "Tags": ["app:1"]}
        layers = {"Type": "layers", "Layers": diff_ids}
        described = {"Id": image, "RepoTags": ["app:1"], "RepoDigests": [], "RootFS": layers}
        described |= {"Config": config.get("config"), "Os": "linux", "Architecture": "amd64"}
        answers: dict[str, object] = {
            "/info": {"Driver": "vfs", "DriverStatus": None, "DockerRootDir": "/none"},
            "/images/json": [{"Id": image, "RepoTags": ["app:1"], "ParentId": "", "Created": 1}],
            "/images/load": {"stream": f"Loaded image ID: {image}\n"},
        }
        if asked.method == "DELETE":
            return [{"Untagged": "app:1"}]
        return answers.get(asked.path) or (
            [made] * len(diff_ids) if last == "history" else described
        )


def _json(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


@contextmanager
def engine_in_memory(oddly: Oddly, archive: bytes, config: bytes, folder: Path) -> Iterator[str]:
    """Serve an engine on a socket in a folder; return what DOCKER_HOST has to be."""
    engine, path = MemoryEngine(archive, config), folder / "engine.sock"
    kind = serving(
        socketserver.UnixStreamServer, lambda asked: oddly.say(asked, engine.answer(asked))
    )
    with kind(str(path)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()
            path.unlink()
