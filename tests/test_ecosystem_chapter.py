"""The chapter `ecosystem` is collected when it is asked for, by name or by id, and not otherwise."""

from __future__ import annotations

import pytest

from tests.harness import run_pytest


@pytest.mark.parametrize(
    ("arguments", "collected"),
    [
        ((), False),
        (("--loop-level=should",), False),
        (("--loop-chapter=timers",), False),
        (("timers.*",), False),
        (("--loop-chapter=ecosystem",), True),
        (("ecosystem.anyio-run",), True),
    ],
    ids=["whole", "level", "other-chapter", "other-id", "chapter", "id"],
)
def test_the_chapter_ecosystem_is_collected_on_request_only(arguments: tuple[str, ...], collected: bool) -> None:
    finished = run_pytest("--loop=asyncio:SelectorEventLoop", "--collect-only", "-q", *arguments)
    assert finished.code == 0, finished.output
    assert ("test_ecosystem_" in finished.output) is collected
