"""A pytest plugin: of all pairs of requirement and broken loop, run those in which the loop names the requirement.

`pytest -p tests.broken_loops.only_named --loop=…`. Loops that are no broken loops (the stock one, to compare with)
run everything.
"""

from __future__ import annotations

import pytest

from tests.broken_loops import every


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = {loop.name: set(loop.breaks) for loop in every()}
    kept, dropped = [], []
    for item in items:
        label = item.callspec.params["loop_spec"].label  # type: ignore[attr-defined]
        id = item.function.requirement.id  # type: ignore[attr-defined]
        (kept if id in named.get(label, {id}) else dropped).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept
