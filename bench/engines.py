"""Cases within engines: Docker with its classic store, and Podman."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import images
from bench.case import Case, Way
from bench.daemon import LAYERS, without_base
from bench.measure import Sample
from bench.scan import spans
from bench.shop import IMAGES, LARGE, MIDDLE, Shop, Variants, helper_of, tops
from tests.engines.daemon import EngineUnavailableError
from tests.engines.tools import Podman

EXPORT = """
id=$(docker create --network none "$1" none)
docker export "$id" | docker import - "$2"
"""
LOAD_TIMEOUT = 600.0


@dataclass
class InDocker:
    """Ways to squash an image within Docker: each time another one that has the same base."""

    shop: Shop
    variants: Variants
    name: str
    which: Sequence[str] = ()
    """What lamella squashes: all of it, or what is above the base."""

    def another(self) -> str:
        """Load an image; return its name."""
        number, docker = self.variants.another(), self.shop.docker.docker
        docker("load", "--quiet", "--input", self.variants.archive, timeout=LOAD_TIMEOUT)
        docker("tag", "bench:latest", f"{self.name}:{number}")
        return f"{self.name}:{number}"

    def load(self) -> Sample:
        """Load the merged layer alone: less an engine can't be asked to do."""
        return self.shop.in_docker("docker", "load", "--quiet", "--input", self.new_layer())

    def new_layer(self) -> Path:
        """Make an archive of the new layer alone that a squash of another image would make."""
        made = self.variants.folder / "new.tar"
        if self.which:
            self._lamella(self.another(), "local", "-o", f"docker-archive:{made}")
            return without_base(made)
        return write_merged(self.shop, self.variants, made)

    def save_and_load(self) -> Sample:
        """Save the whole image, as one who reads it by the API must, and load the new layer."""
        return self.shop.in_docker("docker", "save", self.another()) + self.load()

    def squash(self, how: str, *more: str) -> Sample:
        """Let lamella do it, reading in place or by the API."""
        source = self.another()
        return self._lamella(source, how, "-t", f"{source}-squashed", *more)

    def docker_squash(self) -> Sample:
        """Let docker-squash do it."""
        source = self.another()
        options = ["-t", f"{source}-squashed", *(["-f", str(LAYERS)] if self.which else [])]
        return self.shop.in_docker(self.shop.peers / "docker-squash", *options, source)

    def export_and_import(self) -> Sample:
        """Export a container and import it, which loses the config and all layers."""
        source = self.another()
        return self.shop.in_docker("sh", "-euc", EXPORT, "export", source, f"{source}-imported")

    def _lamella(self, source: str, how: str, *more: str) -> Sample:
        options = (*self.which, "-q", "--source", how, *more)
        return self.shop.in_docker(self.shop.lamella, "squash", source, *options)


def in_docker(shop: Shop) -> Iterator[Case]:
    """A small top on a large base, and an image that is squashed as a whole."""
    base = LARGE if shop.full else MIDDLE
    variants = tops(shop.folder / "tops", base)
    top = InDocker(shop, variants, "top", ["--last", str(LAYERS)])
    top.another()
    facts = {"image": f"20 MB in 5 layers on {base.size / 1e9:g} GB", **variants.facts}
    ways = [
        Way("docker load of the new layer", top.load),
        Way("docker save, then that load", top.save_and_load),
        Way("lamella, layers in place", lambda: top.squash("local")),
        Way("lamella, base not seen before", lambda: top.squash("local", "--no-cache")),
        Way("lamella, layers by the API", lambda: top.squash("api")),
        Way("docker-squash", top.docker_squash, slow=True),
    ]
    yield Case("docker-top", "within Docker, the top of an image", facts, ways)

    folder = shop.folder / "wholes"
    folder.mkdir()
    variants = Variants(folder, lambda n: images.marked(images.half_dead(shop.part), n), 16)
    whole = InDocker(shop, variants, "whole")
    whole.another()
    ways = [
        Way("docker load of the new layer", whole.load),
        Way("lamella, layers in place", lambda: whole.squash("local")),
        Way("docker export, docker import", whole.export_and_import, slow=True),
    ]
    facts = {"image": IMAGES[shop.for_peers][0], **variants.facts}
    yield Case("docker-whole", "within Docker, a whole image", facts, ways)


def write_merged(shop: Shop, variants: Variants, made: Path) -> Path:
    """Write an image of the one layer that the next variant would be squashed to."""
    merged = spans(shop.merged(shop.for_peers))[0]
    images.write_image(made, images.copied(merged, variants.next_number()))
    return made


@dataclass
class InPodman:
    """Ways to squash an image within Podman: each time another one."""

    shop: Shop
    podman: Podman
    variants: Variants

    def another(self) -> str:
        """Load an image; return its name."""
        name = f"localhost/bench:{self.variants.another()}"
        self.podman("load", "--quiet", "--input", self.variants.archive, timeout=LOAD_TIMEOUT)
        self.podman("tag", "localhost/bench:latest", name)
        return name

    def run(self, *words: str | Path) -> Sample:
        """Measure a command beside Podman's own files."""
        return self.shop.run(
            self.podman.namespace.enter(words),
            env=self.podman.environment,
            helper=helper_of(self.podman.namespace),
        )

    def load(self) -> Sample:
        """Load the merged layer alone: less Podman can't be asked to do."""
        made = write_merged(self.shop, self.variants, self.variants.folder / "new.tar")
        return self.run("podman", "load", "--quiet", "--input", made)

    def build(self) -> Sample:
        """Build with nothing but a label to add."""
        source, folder = self.another(), self.variants.folder / "build"
        folder.mkdir(exist_ok=True)
        (folder / "Containerfile").write_text(f"FROM {source}\nLABEL squashed=yes\n")
        options = ["--squash-all", "--pull=never", "-q", "-t", f"{source}-squashed"]
        return self.run("podman", "build", *options, folder)

    def buildah(self) -> Sample:
        """Commit a working container."""
        if shutil.which("buildah") is None:
            raise EngineUnavailableError("buildah is not installed")
        source = self.another()
        script = 'buildah commit -q --squash "$(buildah from --pull-never "$1")" "$2"'
        return self.run("sh", "-euc", script, "commit", source, f"{source}-squashed")

    def squash(self) -> Sample:
        """Let lamella do it."""
        source = self.another()
        return self.shop.run(
            [self.shop.lamella, "squash", f"podman:{source}", "-q", "-t", f"{source}-squashed"],
            env={**self.podman.environment, "CONTAINER_HOST": self.podman.host},
            helper=helper_of(self.podman.namespace),
        )


def in_podman(shop: Shop) -> Iterator[Case]:
    """A whole image within Podman."""
    folder = shop.folder / "podman"
    folder.mkdir()
    variants = Variants(folder, lambda n: images.marked(images.half_dead(shop.part), n), 0)
    ways_to = InPodman(shop, shop.podman, variants)
    ways_to.another()
    ways = [
        Way("podman load of the new layer", ways_to.load),
        Way("lamella", ways_to.squash),
        Way("podman build --squash-all", ways_to.build, slow=True),
        Way("buildah commit --squash", ways_to.buildah, slow=True),
    ]
    facts = {"image": IMAGES[shop.for_peers][0], **variants.facts}
    yield Case("podman", "within Podman, a whole image", facts, ways)
