"""A pytest plugin that substitutes the loop before any test is imported, and writes one line of JSON per test.

`-p pytest_child`, with two variables in the environment: DOWNSTREAM_LOOP (`module:class` or `asyncio`) and
DOWNSTREAM_OUTCOMES (a file).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import substitute
from outcomes import Outcome, Writer

_LOOP = os.environ["DOWNSTREAM_LOOP"]
substitute.install(None if _LOOP == "asyncio" else _LOOP)
_writer = Writer(os.environ["DOWNSTREAM_OUTCOMES"])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    _Item.before = substitute.made.copy()
    _Item.outcome, _Item.detail, _Item.seconds = "passed", "", 0.0
    _writer.begin(item.nodeid)
    try:
        return (yield)
    finally:
        loops = dict(substitute.made - _Item.before)
        _writer.end(Outcome(item.nodeid, _Item.outcome, _Item.detail, loops, _Item.seconds))


def pytest_runtest_logreport(report: Any) -> None:
    _Item.seconds += report.duration
    if report.failed:
        _Item.outcome = "failed"
        _Item.detail = str(getattr(report.longrepr, "reprcrash", None) or report.longrepr)[-2000:]
    elif report.skipped and _Item.outcome == "passed":
        _Item.outcome = "skipped"


class _Item:
    """The test that runs."""

    before = substitute.made.copy()
    outcome, detail, seconds = "passed", "", 0.0
