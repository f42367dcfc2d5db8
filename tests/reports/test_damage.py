"""Values of a file that were changed, dropped or exchanged: refused in one sentence, or shown by every view."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import diff, gate, junit, markdown, page, show, sources
from reports.errors import ReportError
from tests.reports import samples

ODD: list[Any] = [None, True, 0, -1, 1e308, 1e-308, "", "x", "conforms", "must", "dead", [], {}, [1], {"a": 1}, 10**30]


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _damaged(data: Any, draw: random.Random) -> Any:
    path = draw.choice(list(_places(data)))
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    if draw.random() < 0.3:
        del inner[path[-1]]
    else:
        inner[path[-1]] = draw.choice(ODD)
    return data


@pytest.mark.parametrize("seed", range(8))
def test_damage_is_refused_or_shown(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    battery = samples.BATTERY.read_text(encoding="utf-8").splitlines()
    sentences: list[str] = []
    for _ in range(12):
        lines = _damaged([json.loads(line) for line in battery], draw)
        (tmp_path / "battery.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (tmp_path / "race.json").write_text(json.dumps(_damaged(samples.race(), draw)))
        for name in ("battery.jsonl", "race.json"):
            try:
                found = sources.read([tmp_path / name])
                limit = gate.Limit("uvloop", 0.1) if found.races else None
                for view in (page.html(found, "A title"), markdown.markdown(found), junit.junit(found)):
                    assert view
                assert show.show(found)
                diff.diff(found, found)
                gate.gate(found, "must", [], limit)
            except ReportError as error:
                sentences.append(str(error))
    assert not [sentence for sentence in sentences if "\n" in sentence]
