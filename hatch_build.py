"""What the build adds: metadata that depend on where the project lives, documents, man pages.

Hatchling finds this file by its name. The address of the repository is in pyproject.toml, once.
"""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.utils import get_reproducible_timestamp
from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)\s]+)")
_CLONED = "URL-OF-THIS-REPOSITORY"
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
        text = absolute(readme, f"{home}/blob/{tag}", f"{home}/raw/{tag}").replace(_CLONED, home)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


class BuildHook(BuildHookInterface[Any]):
    """Packs what `lamella help` shows, and pages for `man`. A checkout has the former beside it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add files to a wheel."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root, "src")))
        from lamella.cli.topics import FOLDER, TOPICS  # noqa: PLC0415 - only now it is found

        for topic in TOPICS.values():
            packed = f"lamella/{FOLDER}/{topic.page}"
            build_data["force_include"][f"{self.root}/{FOLDER}/{topic.page}"] = packed
        self._folder = tempfile.TemporaryDirectory(prefix="lamella-man-")
        for path in self._write_pages(Path(self._folder.name)):
            build_data["shared_data"][str(path)] = f"share/man/man1/{path.name}"

    def _write_pages(self, folder: Path) -> list[Path]:
        from lamella.cli.group import cli  # noqa: PLC0415 - as above
        from lamella.cli.man import pages  # noqa: PLC0415 - as above

        built = datetime.fromtimestamp(get_reproducible_timestamp(), UTC)
        for name, text in pages(cli, self.metadata.version, f"{built:%Y-%m-%d}"):
            (folder / name).write_text(text, encoding="ascii")
        return sorted(folder.iterdir())

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what has been packed."""
        del build_data, artifact_path
        if version != "editable":
            self._folder.cleanup()


def absolute(page: str, files: str, images: str) -> str:
    """Return a Markdown page of which every link to the repository is an address."""

    def addressed(link: re.Match[str]) -> str:
        path = link[2].partition("#")[0]
        return f"{link[1]}{images if _IMAGE.search(path) else files}/{link[2]}"

    return _LINK.sub(addressed, page)
