"""A pytest plugin: of all pairs of requirement and broken loop, run those in which the loop names the requirement.

`pytest -p tests.broken_loops.only_named --loop=…`. Loops that are no broken loops (the stock one, to compare with)
run what has an answer to compare: the requirements of level MAY. The broken loops are imported here, before the
battery forks, and not again in each of its processes.
"""

from __future__ import annotations

import pytest

from conformance.requirement import requirement_of
from conformance.verdicts import Level
from tests.broken_loops import every

_NAMED = {loop.name: set(loop.breaks) for loop in every()}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept, dropped = [], []
    for item in items:
        (kept if _is_named(item) else dropped).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept


def _is_named(item: pytest.Item) -> bool:
    requirement = requirement_of(item.function)  # type: ignore[attr-defined]
    assert requirement is not None
    named = _NAMED.get(item.callspec.params["loop_spec"].label)  # type: ignore[attr-defined]
    return requirement.level is Level.MAY if named is None else requirement.id in named
