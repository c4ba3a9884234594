"""Give a zip file that Python runs another `__main__.py`: `python replace_main.py FILE MAIN`.

All else, the line before the zip file among it, stays as it is: the same input, the same bytes.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def main(path: Path, module: Path) -> None:
    """Write the file anew."""
    new = path.with_suffix(".new")
    with zipfile.ZipFile(path) as old, new.open("wb") as file:
        first = min(entry.header_offset for entry in old.infolist())
        file.write(path.read_bytes()[:first])
        with zipfile.ZipFile(file, "w") as packed:
            for entry in old.infolist():
                is_main = entry.filename == "__main__.py"
                packed.writestr(entry, module.read_bytes() if is_main else old.read(entry))
    new.chmod(path.stat().st_mode)
    new.replace(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
