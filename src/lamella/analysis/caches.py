"""Where package managers keep what they can fetch again, and how a build does without."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["CACHES", "Cache", "cache_of"]


class Cache(NamedTuple):
    """What one package manager leaves behind."""

    folders: str
    """A pattern: directories, from the root on or from any."""
    cure: str
    """What the RUN that fills it should have at its end, or instead."""
    mount: str
    """What a cache mount would cover."""


CACHES: dict[str, Cache] = {
    "apt": Cache(
        "^var/cache/apt|^var/lib/apt/lists",
        "&& apt-get clean && rm -rf /var/lib/apt/lists/*",
        "/var/cache/apt",
    ),
    "apk": Cache("^var/cache/apk|^etc/apk/cache", "apk add --no-cache …", "/var/cache/apk"),
    "dnf": Cache("^var/cache/(?:dnf|yum|libdnf5)", "&& dnf clean all", "/var/cache/dnf"),
    "zypper": Cache("^var/cache/zypp", "&& zypper clean --all", "/var/cache/zypp"),
    "pip": Cache(r"\.cache/pip", "pip install --no-cache-dir …", "/root/.cache/pip"),
    "uv": Cache(r"\.cache/uv", "uv … --no-cache", "/root/.cache/uv"),
    "npm": Cache(r"\.npm/_cacache|\.npm/_logs", "&& npm cache clean --force", "/root/.npm"),
    "yarn": Cache(
        r"\.cache/yarn|usr/local/share/\.cache",
        "&& yarn cache clean",
        "/usr/local/share/.cache/yarn",
    ),
    "go": Cache(
        r"\.cache/go-build|go/pkg/mod/cache",
        "&& go clean -cache -modcache",
        "/root/.cache/go-build",
    ),
    "cargo": Cache(
        r"\.?cargo/registry/(?:cache|src|index)",
        "&& rm -rf $CARGO_HOME/registry",
        "/usr/local/cargo/registry",
    ),
    "maven": Cache(r"\.m2/repository", "&& rm -rf ~/.m2/repository", "/root/.m2"),
    "gradle": Cache(r"\.gradle/caches", "&& rm -rf ~/.gradle", "/root/.gradle"),
    "composer": Cache(
        r"\.composer/cache|\.cache/composer", "&& composer clear-cache", "/root/.composer/cache"
    ),
    "conda": Cache("(?:ana|mini)?(?:conda|forge)3?/pkgs", "&& conda clean -afy", "/opt/conda/pkgs"),
}
"""By the name of the package manager."""
_FOLDERS = re.compile(
    "|".join(
        f"(?P<{name}>(?:^|(?<=/))(?:{cache.folders})(?=/|$))" for name, cache in CACHES.items()
    ).encode()
)


def cache_of(folder: bytes) -> str:
    """Return whose cache a directory is, or is in; empty: no cache's."""
    found = _FOLDERS.search(folder)
    return (found.lastgroup or "") if found else ""
