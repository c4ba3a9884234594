"""What a registry has: its repositories, and the tags of each, page by page.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
https://distribution.github.io/distribution/spec/api/#listing-repositories
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lamella.errors import EngineError, ImageNotFound
from lamella.spec.json import TEXT, Fields, Many, parse_json
from lamella.transport.registry.client import Missing, Refused, Registry, RegistryRequest
from lamella.transport.registry.repository import Repository

__all__ = ["iter_repositories", "iter_tags"]

_PAGE = 1000
_CATALOG = Fields({"repositories": Many(TEXT)})
_TAGS = Fields({"name": TEXT, "tags": Many(TEXT)})
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_NO_CATALOG = frozenset({401, 403, 404, 405})


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


def _pages(
    registry: Registry, request: RegistryRequest, fields: Fields, name: str
) -> Iterator[str]:
    asked: set[str] = set()
    url = request.url
    while url not in asked:  # a registry that leads in a circle has no more to tell
        asked.add(url)
        fetched = registry.fetch(_at(request, url))
        yield from parse_json(fetched.body, str(registry), fields).get(name) or ()
        following = _NEXT.search(fetched.answer.header("Link"))
        if following is None:
            return
        url = registry.absolute(following[1])


def _at(request: RegistryRequest, url: str) -> RegistryRequest:
    return RegistryRequest(
        request.method, url, request.repository, request.what, request.scopes, request.expected
    )
