"""The map of the contract: each section of the documentation with its requirements, and what no test can check.

`python -m conformance.contract_map FILE` writes it as Markdown; without FILE it prints it. The inventory of sections
is `documentation.toml`, the sentences that no test can check are in `untestable.toml`, the rest is the catalogue.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance import catalogue
from conformance.citations import url_of
from conformance.requirement import Requirement

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Untestable:
    """A sentence that speaks of loops and that no test can check."""

    cite: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Silent:
    """Places, as a glob over `page: place`, that say nothing that a loop could break."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the documentation and its places in order: names without `asyncio.`, titles with `§`."""

    name: str
    title: str
    places: tuple[str, ...]


def pages() -> list[Page]:
    """The inventory of the documentation."""
    tables = tomllib.loads((_HERE / "documentation.toml").read_text(encoding="utf-8"))
    return [Page(name, table["title"], tuple(table["places"])) for name, table in tables.items()]


def untestable() -> list[Untestable]:
    """The sentences that no test can check, with the reasons."""
    tables = tomllib.loads((_HERE / "untestable.toml").read_text(encoding="utf-8"))
    return [Untestable(**table) for table in tables["sentence"]]


def silent() -> list[Silent]:
    """The places that say nothing that a loop could break, with the reasons."""
    tables = tomllib.loads((_HERE / "untestable.toml").read_text(encoding="utf-8"))
    return [Silent(**table) for table in tables["silent"]]


def _why_silent(page: Page, place: str) -> str:
    if place.startswith("§"):
        return "a heading"
    if any(other.startswith(f"{place}.") for other in page.places):
        return "see its members"
    return next((one.why for one in silent() if fnmatch.fnmatchcase(f"{page.name}: {place}", one.place)), "")


def by_citation(requirements: Mapping[str, Requirement]) -> dict[str, list[Requirement]]:
    """Link → the requirements that cite it. Two spellings of one place have one link."""
    found: dict[str, list[Requirement]] = defaultdict(list)
    for requirement in requirements.values():
        for citation in requirement.cite:
            found[url_of(citation)].append(requirement)
    return found


def unknown_citations(requirements: Mapping[str, Requirement]) -> list[str]:
    """Citations of an inventoried page that name no place of it: a typing error, or a page that has moved on."""
    known = {url_of(f"{page.name}: {place}") for page in pages() for place in page.places}
    prefixes = tuple(url_of(page.name) + "#" for page in pages())
    return sorted(
        f"{requirement.id}: {citation}"
        for requirement in requirements.values()
        for citation in requirement.cite
        if url_of(citation).startswith(prefixes) and url_of(citation) not in known
    )


def as_markdown() -> str:
    """The whole map."""
    requirements = catalogue.load()
    cited = by_citation(requirements)
    unchecked: dict[str, list[Untestable]] = defaultdict(list)
    for sentence in untestable():
        unchecked[url_of(sentence.cite)].append(sentence)
    body: list[str] = []
    covered = total = 0
    shown: set[str] = set()
    for page in pages():
        body += ["", f"## {page.title}", "", "| place | requirements |", "|---|---|"]
        for place in page.places:
            url = url_of(f"{page.name}: {place}")
            shown.add(url)
            ids = [requirement.id for requirement in cited.get(url, [])]
            notes = [f"*Not checked:* “{s.text}” {s.why}" for s in unchecked.get(url, [])]
            if not ids and not notes and (why := _why_silent(page, place)):
                body.append(f"| [{place}]({url}) | *{why}* |")
                continue
            total += 1
            covered += bool(ids or notes)
            body.append(
                f"| [{place}]({url}) | {'<br>'.join([', '.join(ids), *notes]).removeprefix('<br>') or '*none*'} |"
            )
    body += ["", "## PEPs, What's New and issues", "", "| place | requirements |", "|---|---|"]
    for url, users in sorted(cited.items()):
        if url not in shown:
            text = next(c for c in users[0].cite if url_of(c) == url)
            body.append(f"| [{text}]({url}) | {', '.join(requirement.id for requirement in users)} |")
    head = [
        "# The map of the contract",
        "",
        "Written by `python -m conformance.contract_map`.",
        f"{len(requirements)} requirements. {covered} of the {total} places that speak of loops have at least one, or",
        f"the reason for which no test can check them; {len(untestable())} sentences are of that kind. *none* marks a",
        "place that nobody has turned into a requirement.",
    ]
    return "\n".join([*head, *body]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Map the documentation of event loops to requirements, as Markdown.")
    parser.add_argument("file", nargs="?", type=Path, help="where to write it (default: standard output)")
    path: Path | None = parser.parse_args().file
    text = as_markdown()
    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        parser.error(f"{path}: {error.strerror}; name another file")


if __name__ == "__main__":
    main()
