"""What the build adds to the package: metadata that depends on where the project lives.

Hatchling finds this file by its name. The address of the repository is in pyproject.toml, once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)\s]+)")
_IMAGE = re.compile(r"\.(png|svg)$")


class MetadataHook(MetadataHookInterface):
    """Sets the links of the project, and a README that works away from the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what pyproject.toml calls dynamic."""
        home, tag = self.config["repository"], f"v{metadata['version']}"
        metadata["urls"] = {
            "Homepage": home,
            "Documentation": f"{home}/tree/{tag}/docs",
            "Changelog": f"{home}/blob/{tag}/CHANGELOG.md",
            "Source": home,
            "Issues": f"{home}/issues",
        }
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = absolute(readme, f"{home}/blob/{tag}", f"{home}/raw/{tag}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute(page: str, files: str, images: str) -> str:
    """Return a Markdown page of which every link to the repository is an address."""

    def addressed(link: re.Match[str]) -> str:
        path = link[2].partition("#")[0]
        return f"{link[1]}{images if _IMAGE.search(path) else files}/{link[2]}"

    return _LINK.sub(addressed, page)
