"""What each command says to input that it cannot use: one sentence, an exit code, no traceback.

`python -m tests.bad_inputs` tries every row of the tables below, prints what happened and writes `docs/bad-inputs.md`;
exit code 1 if a traceback was printed, nothing was said, or the command ended well.
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.places import ROOT, Row, page, run

PAGE = ROOT / "docs" / "bad-inputs.md"
_WORDS = """\
Each command was run as it stands here, in a folder of its own, with such a file as is named behind it. Made by
`python -m tests.bad_inputs`, which fails if one of them prints a traceback, says nothing, or ends with 0."""
_STOCK = "--loop=asyncio:SelectorEventLoop"
_GOLDEN = ROOT / "tests" / "reports" / "golden"
_TOOLS = {"pytest": "The battery", "bench": "The race", "reports": "Reports"}


def _text(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text)

    return write


def _cut(source: Path, name: str, share: float) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        data = source.read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return write


def _changed(source: Path, name: str, **values: object) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        first, _, rest = source.read_text().partition("\n")
        (folder / name).write_text(json.dumps(json.loads(first) | values) + "\n" + rest)

    return write


def _nothing(folder: Path) -> None:
    pass


@dataclass(frozen=True)
class Bad:
    """A command of `python -m` that cannot do what it is asked, and what it finds in its folder."""

    command: str
    wrong: str
    prepare: Callable[[Path], None] = _nothing


BATTERY = _GOLDEN / "battery.jsonl"
BAD = (
    Bad("pytest --loop=no_such_module:new_loop", "a spec that does not import"),
    Bad("pytest --loop=asyncio", "a spec without a factory"),
    Bad("pytest --loop=asyncio:NoSuchLoop", "a factory that is not there"),
    Bad("pytest --loop=builtins:dict", "a factory that returns no loop"),
    Bad("pytest --loop=json:loads", "a factory that takes an argument"),
    Bad(f"pytest {_STOCK} {_STOCK}", "two loops of one label"),
    Bad("pytest --loop=lööp=asyncio:SelectorEventLoop", "a label that is not ASCII"),
    Bad(f"pytest {_STOCK} callbacks.nothing", "an id of no requirement"),
    Bad(f"pytest {_STOCK} test_nothing.py", "a file that is not there"),
    Bad(f"pytest {_STOCK} -n 2 test_nothing.py", "the same, over workers"),
    Bad(f"pytest {_STOCK} --loop-chapter=nothing", "a chapter that is not there"),
    Bad(f"pytest {_STOCK} --loop-patience=0", "no patience"),
    Bad(f"pytest {_STOCK} --loop-fuzz=long", "seconds that are no number"),
    Bad(f"pytest {_STOCK} --loop-results=.", "a result file that is a folder"),
    Bad(f"pytest {_STOCK} --loop-expected=none.toml", "an expectation file that is not there"),
    Bad(f"pytest {_STOCK} --loop-expected=e.toml", "an expectation file that is no TOML", _text("e.toml", "[[[")),
    Bad(f"pytest {_STOCK} --loop-expected=e.toml", "an expectation that matches nothing",
        _text("e.toml", '["callbacks.nothing"]\nexpect = "deviates"\nwhy = "?"\n')),
    Bad(f"pytest {_STOCK} --loop-expected=e.toml", "an expectation without a reason",
        _text("e.toml", '["callbacks.fifo"]\nexpect = "deviates"\n')),
    Bad(f"pytest {_STOCK} --loop-expected=mine=uvloop", "a label of no loop of the run"),
    Bad(f"bench run {_STOCK} -o r no.such.workload", "an unknown workload"),
    Bad("bench run --loop no_such_module:new_loop -o r call_soon", "an arm that does not import"),
    Bad("bench run --loop asyncio:SelectorEventLoop@no/python -o r call_soon", "an interpreter that is not there"),
    Bad(f"bench run {_STOCK} -o r call_soon", "results into a file", _text("r", "")),
    Bad("bench compare r", "a race that is not there"),
    Bad("bench gate --base base.json", "a base that is no JSON", _text("base.json", "{")),
    Bad("bench gate --base base.json", "a base of something else", _text("base.json", "{}")),
    Bad("reports show r.jsonl", "a file that is not there"),
    Bad("reports show r.jsonl", "an empty file", _text("r.jsonl", "")),
    Bad("reports show r.jsonl", "a file of something else", _text("r.jsonl", '{"name": "something"}\n')),
    Bad("reports show r.jsonl", "a file cut in its first line", _cut(BATTERY, "r.jsonl", 0.002)),
    Bad("reports show r.jsonl", "a result file of a newer suite", _changed(BATTERY, "r.jsonl", format=99)),
    Bad("reports show race.json", "a race cut in the middle", _text("race.json", '{"format": 1, "loops": [')),
    Bad("reports html . -o page.html", "a folder without results"),
    Bad("reports badge r.jsonl --loop nobody -o b.svg", "a loop that the file does not have",
        _cut(BATTERY, "r.jsonl", 1)),
    Bad("reports html r.jsonl -o .", "a page that is a folder",
        _cut(BATTERY, "r.jsonl", 1)),
    Bad(f"reports reproduce {_STOCK} no.such", "a reproducer of no requirement"),
)  # fmt: skip


def attempt(bad: Bad) -> Row:
    """Run the command in a folder of its own. The row is right if it refuses in words."""
    with tempfile.TemporaryDirectory() as folder:
        bad.prepare(Path(folder))
        command = [sys.executable, "-P", "-m", *shlex.split(bad.command)]
        done = run(command, Path(folder), {"PYTHONPATH": str(ROOT)})
    said = [line for line in done.output.splitlines() if line.strip()]
    sentence = next((line for line in said if not line.startswith("usage:")), "").replace(folder, ".")
    right = done.code != 0 and "Traceback" not in done.output and bool(sentence)
    return Row(f"`{bad.command}`: {bad.wrong}", f"{sentence} (exit {done.code})", right)


def main() -> int:
    rows = [attempt(bad) for bad in BAD]
    for row in rows:
        print(row.mark, row.name, "→", row.happened)
    tables = {title: [row for row in rows if row.name.startswith(f"`{tool} ")] for tool, title in _TOOLS.items()}
    PAGE.write_text(page("Input that cannot be used", _WORDS, tables, f"pytest {version('pytest')}"))
    return 0 if all(row.right for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
