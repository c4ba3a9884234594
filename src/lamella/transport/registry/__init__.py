"""``docker://HOST/REPOSITORY:TAG``: images in registries.

Only what is squashed is fetched, only what is new is sent.

- `location`, `name`, `options`, `credentials`: what is meant, how to get there, who we are
- `http_client`, `auth`, `client`, `connect`: HTTP, proving who we are, one registry
- `repository`, `upload`: manifests and blobs, down and up
- `source`, `destination`: an image as a place; imported only where there is one
"""

from __future__ import annotations

from lamella.transport.registry.name import RegistryName
from lamella.transport.registry.options import Backoff, RegistryOptions

__all__ = ["Backoff", "RegistryName", "RegistryOptions"]
