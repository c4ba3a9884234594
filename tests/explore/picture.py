"""The picture of the screen in the docs: ``python -m tests.explore.picture`` takes it anew."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from lamella.demo import write_demo_image
from tests.explore.piloting import Screen, explore

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "explore.svg"


def take() -> str:
    """Return the picture, without fonts from elsewhere."""
    taken: list[str] = []

    async def script(screen: Screen) -> None:
        await screen.press("j", "j", "space", "G", "space", "tab")
        await screen.sees("Files of layer 10")
        await screen.press("j", "l", "j", "l", "j", "l", "j")
        await screen.sees("file000.py", "deleted in this layer")
        taken.append(screen.app.export_screenshot(title="lamella explore demo.tar"))

    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            write_demo_image(Path("demo.tar"))
            explore("demo.tar", script, (110, 26))
        finally:
            os.chdir(before)
    plain = re.sub(r"@font-face \{.*?\}\s*", "", taken[0], flags=re.DOTALL)
    return re.sub(r"terminal-\d+", "t", plain)


if __name__ == "__main__":
    PICTURE.write_text(take(), encoding="utf-8")
