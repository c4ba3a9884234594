"""Cases from registry to registry: does the base's size matter, and what do others take?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.case import Case, Way
from bench.daemon import LAYERS
from bench.measure import Sample
from bench.shop import LARGE, SMALL, Shop, Variants, registry_helper, tops, write_layout
from tests.engines.tools import find_skopeo


def push(shop: Shop, layout: Path, image: str) -> None:
    """Copy an image into the registry; blobs that are there already are not sent."""
    to = f"docker://{shop.registry.host}/{image}"
    find_skopeo()("copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:latest", to)


def squash(shop: Shop, source: str, target: str, *more: str) -> Sample:
    """Let lamella squash one image of the registry into another."""
    host = shop.registry.host
    words: list[str | Path] = [shop.lamella, "squash", f"docker://{host}/{source}", "-q", *more]
    command = [*words, "-o", f"docker://{host}/{target}"]
    return shop.run(command, helper=registry_helper(shop.registry))


@dataclass
class Tops:
    """Images in the registry that have a base in common and a top of their own."""

    shop: Shop
    name: str
    variants: Variants
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def squash(self, *more: str) -> Sample:
        """Push another image, and squash its top."""
        image = f"{self.name}:{self.variants.another()}"
        layout = self.variants.folder / "layout"
        write_layout(self.variants.archive, layout, "gzip:1", self.known)
        push(self.shop, layout, image)
        return squash(self.shop, image, f"{image}-squashed", "--last", str(LAYERS), *more)


def in_a_registry(shop: Shop) -> Iterator[Case]:
    """The top of an image, on a small base and on a large one."""
    shop.registry  # noqa: B018 - starts it, or says why not
    ways, facts = [], {"image": "20 MB in 5 layers on bases of 0.1 and 1.7 GB"}
    for name, base in (("small", SMALL), ("large", LARGE)):
        top = Tops(shop, f"{name}-base", tops(shop.folder / name, base))
        ways.append(Way(f"lamella, {name} base", _squashing(top)))
        ways.append(
            Way(f"lamella, {name} base, not seen before", _squashing(top, "--no-cache"), slow=True)
        )
    yield Case("registry", "registry → registry, the top of an image", facts, ways)


def _squashing(top: Tops, *more: str) -> Callable[[], Sample]:
    return lambda: top.squash(*more)


def peers_of_registries(shop: Shop) -> Iterator[Case]:
    """A whole image, beside crane."""
    name = shop.for_peers
    layout = shop.layout(name, "gzip:1")
    push(shop, layout, "peers:latest")
    targets = (f"merged/{number}:latest" for number in range(1000))

    def crane() -> Sample:
        host = shop.registry.host
        words: list[str | Path] = [shop.crane, "flatten", "--insecure", f"{host}/peers:latest"]
        command = [*words, "-t", f"{host}/{next(targets)}"]
        return shop.run(command, helper=registry_helper(shop.registry))

    ways = [
        Way("lamella", lambda: squash(shop, "peers:latest", next(targets))),
        Way("crane flatten", crane, slow=True),
    ]
    yield Case("registry-peers", "registry → registry, a whole image", shop.facts[name], ways)
