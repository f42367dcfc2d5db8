"""`html`: everything as one page that needs no network, no server and, but for search, no script.

This module gathers what the templates in `templates/` show; they hold the words, and decide nothing.
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from conformance.verdicts import MEANINGS, WRONG, Verdict
from reports import entries as entry_views
from reports import lists, matrix, racing, reproducers, svg
from reports.entries import Entry
from reports.matrix import Matrix, minor
from reports.sources import BatteryFile, RaceFile, Sources

LETTERS = {meaning.letter: meaning.letter for meaning in MEANINGS.values()} | {"-": "na", "~": "nr"}
"""Letter → its CSS class, where the letter itself is none."""

SCRIPTS = 300_000
"""Characters of stand-alone scripts in a page. 617 of them, of 12 loops that are often wrong, were 1.6 of 5.1 MB."""


def html(sources: Sources, title: str) -> str:
    """The page."""
    found = matrix.build(file.run for file in sources.batteries)
    context = _conformance(found) | {
        "title": title,
        "summary": _summary(found, sources.races),
        "races": [racing.view(file, found, number) for number, file in enumerate(sources.races, 1)],
        "runs": [_battery_facts(file) for file in sources.batteries] + [_race_facts(file) for file in sources.races],
    }
    context["sections"] = _sections(context)
    return environment().get_template("page.html.j2").render(context)


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, with what all of them may use."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals.update(meanings=MEANINGS, names=LETTERS, wrong=WRONG, short=minor, safe_url=safe_url, body=test_body)
    return made


def _conformance(found: Matrix) -> dict[str, Any]:
    all_entries = entry_views.entries(found)
    strips = [(column, Counter(cell.verdict for cell in column.cells.values())) for column in found.columns]
    totals = sum((counts for _, counts in strips), Counter[Verdict]())
    by_id = {entry.id: entry for entry in all_entries}
    return {
        "entries": all_entries,
        "columns": found.columns,
        "strips": strips,
        "totals": totals,
        "bars": {column.key: Markup(svg.bar(_classes(counts), _spoken(counts))) for column, counts in strips},
        "chapters": list(found.chapters),
        "chapter_rows": [(chapter, _counts(found, ids)) for chapter, ids in found.chapters.items()],
        "by_chapter": [(chapter, [by_id[id] for id in ids]) for chapter, ids in found.chapters.items()],
        "reproducers": _reproducers(all_entries),
        "differing": {id for column in found.columns for id, cell in column.cells.items() if cell.differs},
        "absent": lists.absent(found),
        "answers": lists.answers(found),
        "not_run": lists.not_run(found),
    }


def _reproducers(all_entries: Sequence[Entry]) -> Mapping[str, str]:
    """Scripts for what some loop gets wrong; nobody needs one for what works. Past `SCRIPTS`, how to make them."""
    scripts: dict[str, str] = {}
    left = SCRIPTS
    for entry in all_entries:
        scripts[entry.id] = ""
        wrong = [found for found in entry.found if found.verdict in WRONG and reproducers.shows(found)]
        if not wrong:
            continue
        spec = wrong[0].columns[0].spec
        if left > 0:
            scripts[entry.id] = reproducers.script(entry.requirement, spec)
            left -= len(scripts[entry.id])
        else:
            scripts[entry.id] = f"$ python -P -m reports reproduce {entry.id} --loop={spec}"
    return scripts


def _counts(found: Matrix, ids: Sequence[str]) -> list[list[tuple[Verdict, int]]]:
    rows = []
    for column in found.columns:
        counts = Counter(column.cells[id].verdict for id in ids if id in column.cells)
        rows.append([(verdict, counts[verdict]) for verdict in MEANINGS if counts[verdict]])
    return rows


def _classes(counts: Mapping[Verdict, int]) -> list[tuple[str, int]]:
    return [(LETTERS[MEANINGS[verdict].letter], counts[verdict]) for verdict in MEANINGS if counts[verdict]]


def _spoken(counts: Mapping[Verdict, int]) -> str:
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in MEANINGS if counts[verdict])


def _summary(found: Matrix, races: Sequence[RaceFile]) -> str:
    parts = []
    if found.columns:
        asked = len(list(found.ids))
        parts.append(f"{_plural(asked, 'requirement')} on {_plural(len(found.columns), 'loop')}")
    for race in races:
        loops = [loop["label"] for loop in race.summary["loops"] if loop["label"] != race.summary["noise_arm"]]
        parts.append(f"a race of {', '.join(loops)} over {_plural(len(race.summary['workloads']), 'workload')}")
    text = "; ".join(parts) + "."
    return text[:1].upper() + text[1:]


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _sections(context: Mapping[str, Any]) -> list[tuple[str, str]]:
    sections = []
    if context["entries"]:
        sections += [("overview", "The loops"), ("chapters", "Chapters"), ("differences", "Requirements")]
        named = {"absent": "Not implemented", "answers": "What is left open", "not_run": "Not run"}
        sections += [(key.replace("_", "-"), name) for key, name in named.items() if context[key]]
    sections += [(race.anchor, race.title) for race in context["races"]]
    return [*sections, ("runs", "The runs")]


def _battery_facts(file: BatteryFile) -> dict[str, Any]:
    run, header = file.run, file.run.header
    facts = [("file", file.path.name)]
    keys = ("command", "started", "suite", "catalogue", "python", "implementation", "platform", "cpu", "settings")
    facts += [(key, str(header[key])) for key in keys if header.get(key)]
    if run.footer:
        facts += [("took", f"{run.footer['seconds']:.0f} s"), ("exit code", str(run.footer["exit"]))]
    marks = [] if run.complete else [matrix.INCOMPLETE]
    loops = ", ".join(column.label for column in run.loops)
    return {"title": f"Battery of {header['started']}: {loops}", "marks": marks, "facts": facts}


def _race_facts(file: RaceFile) -> dict[str, Any]:
    race = file.summary
    metadata = race["loops"][0]["metadata"]
    settings = race["settings"]
    facts = [("directory", file.path.name), ("command", " ".join(race["command"])), ("started", racing.date(race))]
    facts += [
        ("pace", f"{settings['rounds']} rounds of {settings['samples']} samples, margin {settings['margin']:.0%}")
    ]
    facts += [(key.replace("_", " "), str(value)) for key, value in sorted(metadata.items())]
    facts += [(loop["label"], f"{loop['spec']}, {loop['distribution']} {loop['version']}") for loop in race["loops"]]
    marks = [] if race["complete"] else ["incomplete race"]
    return {"title": f"Race of {racing.date(race)}", "marks": marks, "facts": facts}


def safe_url(url: str) -> str:
    """The link, if it is one of the web: a file from elsewhere must not put a script behind a click."""
    return url if url.startswith(("https://", "http://")) else "#"


def test_body(source: str) -> str:
    """A test without its docstring, which the entry has said already."""
    head, _, rest = source.partition('"""')
    _, closing, body = rest.partition('"""')
    return inspect.cleandoc(source) if not closing else textwrap.dedent(head.rstrip() + "\n" + body.lstrip("\n"))


def write(path: Path, text: str) -> None:
    """Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
