"""The page as text: whole, harmless, self-contained, and small enough for the full matrix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reports import page, racing, sources
from reports.cli import main
from reports.sources import BatteryFile, RaceFile, Sources
from tests.reports import full, samples
from tests.reports.test_views import HOSTILE

VOID = {"meta", "input", "br", "link", "img", "hr"}


class _Reader(HTMLParser):
    """Checks that tags nest, and keeps ids, links and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self._attributes(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._attributes(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _attributes(self, tag: str, attributes: dict[str, str | None]) -> None:
        if id := attributes.get("id"):
            self.ids.append(id)
        if tag == "a":
            self.links.append(attributes.get("href") or "")
        self.fetched += [str(attributes[key]) for key in ("src", "data", "poster", "srcset") if key in attributes]
        self.fetched += [str(attributes["href"])] if tag == "link" else []


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def golden() -> str:
    return page.html(sources.read([samples.BATTERY, samples.RACE]), "A title")


def test_the_page_is_whole(golden: str) -> None:
    reader = _read(golden)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)


def test_the_page_needs_no_network(golden: str) -> None:
    reader = _read(golden)
    assert reader.fetched == []
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", golden)
    assert all(link.startswith(("#", "https://")) for link in reader.links)


def test_requirements_and_workloads_have_deep_links(golden: str) -> None:
    ids = set(_read(golden).ids)
    assert {"callbacks.fifo", "timers.when-at", "tcp.echo.protocol.1KiB.c10", "chapter-timers"} <= ids


def test_an_entry_holds_all_that_is_known(golden: str) -> None:
    entry = golden[golden.index('id="timers.when-at"') :].partition("</details>\n</div>")[0]
    rerun = "pytest --loop=uvloop:new_event_loop timers.when-at"
    for words in ("deviates", "uvloop", rerun, "Hint:", "docs.python.org", "test_timers.py", "def test_"):
        assert words in entry, words


def test_nothing_in_a_file_becomes_markup() -> None:
    made = samples.run({HOSTILE: {"x.one": "deviates", "x.may": f"answer: {HOSTILE}"}}, seen=HOSTILE,
                       levels={"x.may": "may"}, python=f"3.12{HOSTILE}", version=HOSTILE)  # fmt: skip
    for requirement in made.requirements.values():
        requirement |= {"statement": HOSTILE, "hint": HOSTILE, "source": HOSTILE, "file": HOSTILE}
        requirement["cite"] = [{"text": HOSTILE, "url": "javascript:alert(1)"}]
    race = samples.race()
    for workload in race["workloads"]:
        workload |= {"statement": HOSTILE, "unit": HOSTILE}
        workload["name"] += HOSTILE
    text = page.html(Sources([BatteryFile(Path(HOSTILE), made)], [RaceFile(Path(HOSTILE), race)]), HOSTILE)
    reader = _read(text)
    assert reader.open == []
    assert text.count("<script>") == 1
    assert not any(link.startswith("javascript") for link in reader.links)


def test_an_incomplete_run_is_marked() -> None:
    made = samples.run({"a": {"x.one": "conforms"}}, complete=False)
    race = samples.race() | {"complete": False}
    text = page.html(Sources([BatteryFile(Path("r"), made)], [RaceFile(Path("d"), race)]), "A title")
    assert "incomplete run" in text
    assert "incomplete race" in text


def _pages() -> Iterator[tuple[str, Sources]]:
    every = samples.run({"a": {"x.one": "conforms"}, "b": {}})
    yield "a loop without results", Sources([BatteryFile(Path("r"), every)], [])
    yield "a run without loops", Sources([BatteryFile(Path("r"), samples.run({}))], [])
    race = samples.race()
    dead = race["workloads"][0]["cells"]
    for label in dead:
        dead[label] = {"state": "dead", "how": "hangs", "reason": "no answer"}
    race["workloads"][1]["cells"]["uvloop"] = {"state": "not run"}
    yield "a race with dead cells", Sources([], [RaceFile(Path("d"), race)])
    alone = samples.race()
    alone["workloads"] = []
    yield "a race without workloads", Sources([], [RaceFile(Path("d"), alone)])
    yield "a race from no date", Sources([], [RaceFile(Path("d"), samples.race() | {"started": 1e300})])


@pytest.mark.parametrize(("name", "found"), list(_pages()), ids=[name for name, _ in _pages()])
def test_odd_results_make_a_page_too(name: str, found: Sources) -> None:
    assert _read(page.html(found, name)).open == []


def test_a_loop_that_fails_a_must_of_a_workload_is_flagged(golden: str) -> None:
    found = samples.run({"uvloop": {"callbacks.fifo": "deviates"}}, version="0.23.0")
    race = samples.race()
    text = page.html(Sources([BatteryFile(Path("r"), found)], [RaceFile(Path("d"), race)]), "A title")
    assert "⚑ 1 MUST" in text
    row = text[text.index('<tr id="scheduling.call_soon.batch.no-args"') :]
    assert "callbacks.fifo" in row[: row.index("</tr>")]


def test_a_race_of_two_races_has_links_of_its_own() -> None:
    assert racing.anchor(1, "tcp.bulk") == "tcp.bulk"
    assert racing.anchor(2, "tcp.bulk") == "tcp.bulk-2"


def test_the_full_matrix_stays_below_three_megabytes() -> None:
    text = page.html(full.sources(), "Full")
    assert len(text.encode()) < 3_000_000


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "below" / "report.html"
    assert main(["html", str(samples.GOLDEN), "-o", str(output)]) == 0
    assert output.stat().st_size > 10_000
    assert main(["html", str(samples.GOLDEN), "-o", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_program_that_shows_a_deviation_is_in_its_entry(tmp_path: Path) -> None:
    run = samples.run({"a": {"schedules.order": "deviates"}})
    run.results[0]["program"] = "loop.call_soon(trace, '<one>')"
    path = samples.write(tmp_path / "run.jsonl", run)
    text = page.html(sources.read([path]), "A title")
    assert "loop.call_soon(trace, &#39;&lt;one&gt;&#39;)" in text


def test_scripts_beyond_what_a_page_can_bear_are_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "SCRIPTS", 0)
    text = page.html(sources.read([samples.BATTERY]), "A title")
    assert "$ python -P -m reports reproduce executors.shutdown-timeout --loop=asyncio:SelectorEventLoop" in text


def test_the_rest_of_many_loops_is_not_named_one_by_one() -> None:
    verdicts = {label: {"x.one": "conforms"} for label in ("b", "c", "d")} | {"a": {"x.one": "deviates"}}
    text = page.html(Sources([BatteryFile(Path("run"), samples.run(verdicts))], []), "A title")
    assert "<strong>conforms</strong>: every other loop" in text
