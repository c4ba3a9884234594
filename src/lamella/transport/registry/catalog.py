"""What a registry has, page by page: its repositories, the tags of each, referrers of an image.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
https://distribution.github.io/distribution/spec/api/#listing-repositories
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lamella import limits
from lamella.errors import EngineError, ImageNotFound, MalformedImage
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.fields import INDEX
from lamella.spec.json import TEXT, Fields, Many, parse_json
from lamella.transport.registry.client import Missing, Refused, Registry, RegistryRequest
from lamella.transport.registry.repository import Repository

__all__ = ["iter_repositories", "iter_tags", "list_referrers"]

_PAGE = 1000
_CATALOG = Fields({"repositories": Many(TEXT)})
_TAGS = Fields({"name": TEXT, "tags": Many(TEXT)})
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_NO_CATALOG = frozenset({401, 403, 404, 405})
_NO_REFERRERS = frozenset({400, 404, 405, 406, 501})
"""Answers of those who know no such list: the specification says 404, not all registries do."""


def iter_repositories(registry: Registry) -> Iterator[str]:
    """List the names of a registry's repositories, as it orders them.

    Raises:
        EngineError: the registry lists none, or not to us. Docker Hub, for one, does not.
    """
    request = RegistryRequest(
        "GET",
        f"_catalog?n={_PAGE}",
        "",
        "list its repositories",
        ("registry:catalog:*",),
        frozenset({200}),
    )
    try:
        yield from _pages(registry, request, _CATALOG, "repositories")
    except Refused as refused:
        if refused.status not in _NO_CATALOG:
            raise
        raise EngineError(
            f"{refused}; name the repositories in full, or give a list of images"
        ) from refused


def iter_tags(repository: Repository) -> Iterator[str]:
    """List the tags of a repository.

    Raises:
        ImageNotFound: there is no such repository.
        EngineError: the registry can't be asked.
    """
    path = repository.path(f"tags/list?n={_PAGE}")
    request = repository.request("GET", path, "list its tags", 200)
    try:
        yield from _pages(repository.registry, request, _TAGS, "tags")
    except Missing as missing:
        raise ImageNotFound(f"no repository {repository}") from missing


def list_referrers(repository: Repository, digest: Digest) -> list[Descriptor] | None:
    """List the manifests whose subject has a digest; None: the registry has no such lists.

    Raises:
        MalformedImage: what it lists makes no sense.
        EngineError: the registry can't be asked.
    """
    path, what = repository.path(f"referrers/{digest}"), f"list referrers of {digest}"
    request = repository.request("GET", path, what, 200)
    try:
        pages = _pages(repository.registry, request, INDEX, "manifests", limits.DOCUMENT)
        found = list(pages)
    except MalformedImage:
        return None  # another page, which some registries have for every path
    except Refused as refused:
        if refused.status not in _NO_REFERRERS:
            raise
        return None
    return [Descriptor.parse(one, f"{repository}: referrers of {digest.short}") for one in found]


def _pages(
    registry: Registry,
    request: RegistryRequest,
    fields: Fields,
    name: str,
    limit: int = limits.ANSWER,
) -> Iterator[Any]:
    asked: set[str] = set()
    url = request.url
    while url not in asked:  # a registry that leads in a circle has no more to tell
        asked.add(url)
        fetched = registry.fetch(_at(request, url), limit)
        yield from parse_json(fetched.body, str(registry), fields).get(name) or ()
        following = _NEXT.search(fetched.answer.header("Link"))
        if following is None:
            return
        url = registry.absolute(following[1])


def _at(request: RegistryRequest, url: str) -> RegistryRequest:
    return RegistryRequest(
        request.method, url, request.repository, request.what, request.scopes, request.expected
    )
