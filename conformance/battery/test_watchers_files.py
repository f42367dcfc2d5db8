"""Chapter watchers: what the system cannot poll."""

from __future__ import annotations

from asyncio import AbstractEventLoop as Loop
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.kit.patience import turn
from conformance.requirement import MAY, requirement


@requirement("watchers.regular-files", MAY, cite="asyncio-platforms: §All Platforms", needs=("linux",))
@pytest.mark.parametrize("side", ["reader", "writer"])
def test_regular_files_are_not_for_watching(
    loop: Loop, tmp_path: Path, answer: Callable[[object], None], side: str
) -> None:
    """add_reader() and add_writer() cannot be used to monitor file I/O; how the loop says so is left open.

    If this fails: nothing is forbidden here but to break the loop; the answer is recorded.
    """
    path = tmp_path / "file"
    path.write_bytes(b"data")
    calls: list[str] = []
    with path.open("r+b") as file:
        try:
            getattr(loop, f"add_{side}")(file.fileno(), calls.append, "called")
        except (OSError, ValueError, RuntimeError) as error:
            answer(f"raises {type(error).__name__}")
        else:
            turn(loop, 2)
            getattr(loop, f"remove_{side}")(file.fileno())
            answer("is called at once" if calls else "is not called")
    turn(loop)
