"""The contract as a book: every requirement once, numbered, in reading order, with what no test can check."""

from __future__ import annotations

import re
from pathlib import Path

from conformance import catalogue, results
from conformance.contract_map import untestable
from reports import book, matrix
from reports.cli import main
from reports.matrix import Matrix
from tests.reports import samples


def test_each_requirement_stands_in_it_once_with_a_number_of_its_own() -> None:
    sentences = [sentence for chapter in book.chapters(Matrix({}, ())) for sentence in chapter.sentences]
    assert sorted(one.requirement.id for one in sentences) == sorted(catalogue.load())
    assert len({one.number for one in sentences}) == len(sentences)


def test_chapters_are_in_reading_order_and_each_file_says_what_it_is_about() -> None:
    found = book.chapters(Matrix({}, ()))
    assert [chapter.name for chapter in found][:3] == ["lifecycle", "callbacks", "timers"]
    assert all(part.about for chapter in found for part in chapter.parts)


def test_it_is_a_page_without_script_that_says_what_loops_do(tmp_path: Path) -> None:
    assert main(["book", str(samples.BATTERY), "-o", str(tmp_path / "book.html")]) == 0
    text = (tmp_path / "book.html").read_text(encoding="utf-8")
    assert "<script" not in text
    entry = text[text.index('<li id="timers.when-at">') :]
    assert "<em>deviates:</em> uvloop 0.23.0 (3.12)" in entry[: entry.index("</li>")]
    assert text.count("<li id=") == len(catalogue.load())
    assert len(re.findall("“", text)) >= len(untestable())


def test_answers_to_what_is_left_open_name_the_loops() -> None:
    made = samples.run({"a": {"x.may": "answer: yes"}, "b": {"x.may": "answer: no"}}, levels={"x.may": "may"})
    question = next(id for id, requirement in catalogue.load().items() if requirement.level == "may")
    made.requirements[question] = made.requirements.pop("x.may") | {"id": question}
    for result in made.results:
        result["id"] = question
    sentences = [one for chapter in book.chapters(matrix.build([made])) for one in chapter.sentences]
    answers = next(one.answers for one in sentences if one.requirement.id == question)
    assert answers == [("no", "b 1.0 (3.12)"), ("yes", "a 1.0 (3.12)")]


def test_the_golden_run_s_requirements_are_still_asked() -> None:
    assert set(results.read(samples.BATTERY).requirements) <= set(catalogue.load())
