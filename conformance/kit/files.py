"""Files that a loop sends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

FAR = 5 << 30  # more than 32 bits hold


@contextlib.contextmanager
def far_file(directory: Path, data: bytes) -> Iterator[BinaryIO | None]:
    """A file whose data begins at `FAR`, after a hole that takes no room; None where there are no such files."""
    path = directory / "far"
    try:
        with path.open("wb") as file:
            file.seek(FAR)
            file.write(data)
    except OSError:
        yield None
        return
    with path.open("rb") as file:
        yield file
    path.unlink()
