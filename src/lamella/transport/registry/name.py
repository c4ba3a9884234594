"""Names in registries: ``HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from lamella.errors import InvalidReference
from lamella.spec.digest import Digest
from lamella.spec.reference import Reference
from lamella.transport.registry.url import BadUrl, Url

__all__ = ["PREFIX", "RegistryName", "is_loopback"]

PREFIX = "docker://"
DOCKER_HUB = "docker.io"


@dataclass(frozen=True)
class RegistryName:
    """A repository, and which image of it."""

    host: str
    """With the port, if one was given; Docker Hub is ``docker.io``."""
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str, *, host: str = DOCKER_HUB) -> RegistryName:
        """Read a name, with or without ``docker://``.

        Args:
            text: the name; without tag and digest ``:latest`` is meant.
            host: the registry of a name that has none. With ``docker://`` that is Docker Hub.

        Raises:
            InvalidReference: it breaks the grammar.
        """
        bare = text.removeprefix(PREFIX)
        host = DOCKER_HUB if bare != text else host
        reference = Reference.parse(bare)
        if reference.digest:
            Digest.parse(reference.digest)
        repository = reference.name
        if reference.has_registry:
            host, _, repository = reference.name.partition("/")
        try:
            Url.parse(f"https://{host}/")
        except BadUrl:
            message = f"invalid image name {bare!r}: expected HOST or HOST:PORT, 1 to 65535"
            raise InvalidReference(message) from None
        if host in {DOCKER_HUB, "index.docker.io", "registry-1.docker.io"}:
            host = DOCKER_HUB
            repository = repository if "/" in repository else f"library/{repository}"
        tag = reference.tag or ("" if reference.digest else "latest")
        return cls(host, repository, tag, reference.digest)

    @classmethod
    def parse_tag(cls, text: str, *, host: str = DOCKER_HUB) -> RegistryName:
        """Read a name that an image is to be given.

        Raises:
            InvalidReference: it breaks the grammar, or has a digest.
        """
        name = cls.parse(text, host=host)
        if name.digest:
            raise InvalidReference(
                f"invalid tag {text!r}: an image can't be given a digest; drop @{name.digest}"
            )
        return name

    def beside(self, text: str) -> str:
        """Return a name as it is meant beside this image.

        ``app:slim`` beside ``HOST/team/app:1`` is of the same repository, not ``HOST/app``. Other
        names stay as they are; without a registry they are of this one.

        Raises:
            InvalidReference: it breaks the grammar.
        """
        if text.startswith(PREFIX):
            return text
        name = Reference.parse(text).name
        is_same = name == self.repository.rpartition("/")[2]
        return f"{self.whole_repository}{text.removeprefix(name)}" if is_same else text

    @property
    def whole_repository(self) -> str:
        """Registry and repository."""
        return f"{self.host}/{self.repository}"

    @property
    def reference(self) -> str:
        """What names the manifest: the digest if there is one, else the tag."""
        return self.digest or self.tag

    def tagged(self, tag: str) -> RegistryName:
        """Return another image of the repository."""
        return replace(self, tag=tag, digest="")

    def __str__(self) -> str:
        """Return the name without ``docker://``."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.whole_repository}{tag}{digest}"


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this very machine."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
