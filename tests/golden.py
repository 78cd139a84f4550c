"""What a test found -> the reviewed file that it must equal; with `RECONCILER_GOLDEN=write` it is written first."""

import os
from pathlib import Path


def golden(path: Path, found: str) -> str:
    """The text of a reviewed file, byte by byte; read the differences of written files before committing them."""
    if os.environ.get("RECONCILER_GOLDEN") == "write":
        path.write_bytes(found.encode())
    return path.read_bytes().decode()
