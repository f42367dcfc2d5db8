"""The data formats: schemas against real files, and one sentence for whatever is no result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import cli as bench_cli
from conformance import results
from reports import merged, schema, sources
from reports.cli import main
from reports.errors import ReportError, UnusableFile
from tests.harness import run_pytest
from tests.reports import samples

jsonschema = pytest.importorskip("jsonschema", reason="the extra `schema` is not installed")
SCHEMAS = ("battery", "race", "matrix")


def _faults(data: object, name: str) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema.load(name)).iter_errors(data)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_schema_and_uses_only_what_we_check(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema.load(name))

    def keywords(part: Any) -> set[str]:
        found = set(part)
        for key in ("properties", "$defs"):
            found |= {word for one in part.get(key, {}).values() for word in keywords(one)}
        for one in [part.get("items"), part.get("additionalProperties"), *part.get("oneOf", [])]:
            found |= keywords(one) if isinstance(one, dict) else set()
        return found

    assert keywords(schema.load(name)) <= schema.KEYWORDS


def test_every_line_of_a_real_run_is_what_the_schema_says(tmp_path: Path) -> None:
    run_pytest(
        "--loop=asyncio:SelectorEventLoop", "callbacks.fifo", f"--loop-results={tmp_path / 'new.jsonl'}", cwd=tmp_path
    )
    for path in (samples.BATTERY, tmp_path / "new.jsonl"):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            assert _faults(line, "battery") == []
            assert schema.fault(line, "battery", line["kind"]) is None


def test_a_real_race_is_what_the_schema_says(tmp_path: Path) -> None:
    arguments = ["run", "scheduling.handle_cancel", "--loop", "asyncio:SelectorEventLoop", "-o", str(tmp_path)]
    assert bench_cli.main([*arguments, "--quick", "--rounds", "1", "--no-pin"]) == 0
    assert _faults(json.loads((tmp_path / "race.json").read_text()), "race") == []
    assert sources.read([tmp_path]).races


def test_the_golden_race_and_a_merged_file_are_what_the_schemas_say(tmp_path: Path) -> None:
    assert _faults(samples.race(), "race") == []
    merged.write(tmp_path / "m.json", [results.read(samples.BATTERY)], [samples.race()])
    assert _faults(json.loads((tmp_path / "m.json").read_text()), "matrix") == []


def _without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda race: race.pop(key)


def _ratio(value: Any) -> Callable[[dict[str, Any]], None]:
    def change(race: dict[str, Any]) -> None:
        race["workloads"][0]["cells"]["uvloop"]["cpu"]["ratio"] = value

    return change


def _cell(cell: Any) -> Callable[[dict[str, Any]], None]:
    def change(race: dict[str, Any]) -> None:
        race["workloads"][0]["cells"]["uvloop"] = cell

    return change


RACE_FAULTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no loops": _without("loops"),
    "no noise": _without("noise"),
    "ratio of text": _ratio("fast"),
    "ratio of zero": _ratio(0),
    "ratio not a number": _ratio(float("nan")),
    "ratio without end": _ratio(float("inf")),
    "a cell of another kind": _cell({"state": "asleep"}),
    "a cell that is none": _cell([]),
    "a reference that did not race": lambda race: race.update(reference="nobody"),
    "a workload that lacks a loop": lambda race: race["workloads"][0]["cells"].pop("uvloop"),
    "a newer format": lambda race: race.update(format=99),
}


@pytest.mark.parametrize("fault", RACE_FAULTS)
def test_a_damaged_race_is_one_sentence(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    race = samples.race()
    RACE_FAULTS[fault](race)
    (tmp_path / "race.json").write_text(json.dumps(race))
    _one_sentence(tmp_path, capsys)


FILES: dict[str, bytes] = {
    "empty": b"",
    "binary": bytes(range(256)),
    "words": b"hello\n",
    "a list": b"[1, 2]\n",
    "a number": b"1\n",
    "foreign JSON": b'{"name": "x"}\n',
    "a pyperf suite": b'{"version": "1.0", "benchmarks": []}\n',
    "newer battery": b'{"kind": "header", "format": 99}\n',
    "a header alone that lacks everything": b'{"kind": "header", "format": 1}\n',
    "a format that is no number": b'{"kind": "header", "format": "one"}\n',
    "a race cut off": b'{\n "format": 1,\n "kind": "race",\n',
    "a merged file cut off": b'{"kind":"matrix","format":1,"catalogues":[',
    "a newer merged file": b'{"kind":"matrix","format":2}',
    "a merged file of nothing": b'{"kind":"matrix","format":1}',
    "nested without end": b'{"kind": ' + b"[" * 100_000,
    "UTF-16": '{"kind": "header", "format": 1}'.encode("utf-16"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_is_no_result_is_one_sentence(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.write_bytes(FILES[kind])
    _one_sentence(path, capsys)


def test_what_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _one_sentence(tmp_path / "nothing", capsys)
    _one_sentence(tmp_path, capsys)


def _one_sentence(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("show", "markdown", "junit"):
        assert main([command, str(path)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("reports: ")
        assert str(path) in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("key", ["level", "statement", "source", "cite", "kind"])
def test_a_battery_line_that_lacks_a_key_is_one_sentence(key: str, tmp_path: Path) -> None:
    made = samples.run({"a": {"callbacks.fifo": "conforms"}})
    del made.requirements["callbacks.fifo"][key]
    with pytest.raises(UnusableFile):
        sources.read([samples.write(tmp_path / "r.jsonl", made)])


def test_no_cut_of_a_file_gives_a_traceback(tmp_path: Path) -> None:
    made = samples.run({"a": {"a.b": "deviates"}}, seen="três\u2028")
    whole = samples.write(tmp_path / "whole.jsonl", made).read_bytes()
    merged.write(tmp_path / "whole.json", [made], [])
    for suffix, content in (("jsonl", whole), ("json", (tmp_path / "whole.json").read_bytes())):
        path = tmp_path / f"cut.{suffix}"
        for length in range(len(content) - 1):
            path.write_bytes(content[:length])
            try:
                found = sources.read([path])
            except ReportError:
                continue
            assert suffix == "jsonl"
            assert not found.batteries[0].run.complete


def test_no_cut_of_a_race_gives_a_traceback(tmp_path: Path) -> None:
    content = (samples.RACE / "race.json").read_bytes()
    path = tmp_path / "race.json"
    for length in range(0, len(content) - 2, 97):
        path.write_bytes(content[:length])
        with pytest.raises(UnusableFile):
            sources.read([tmp_path])
