"""Applications of asyncio whose source distributions contain their tests."""

from __future__ import annotations

from pathlib import Path

APPLICATIONS: dict[str, str] = {}


def prepare(name: str, folder: Path) -> None:
    raise NotImplementedError


def run_application(name: str, folder: Path, loop: str, outcomes: Path, log: Path) -> None:
    raise NotImplementedError
