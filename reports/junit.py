"""`junit`: the battery's results as JUnit XML, for CI systems that annotate pull requests from it.

One suite per column. An expected deviation is skipped, with its reason, as pytest itself would tell it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from conformance.verdicts import WRONG, Verdict
from reports import entries, matrix
from reports.matrix import Column
from reports.sources import Sources

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def junit(sources: Sources) -> str:
    """The document."""
    found = matrix.build(file.run for file in sources.batteries)
    root = ElementTree.Element("testsuites", name="asyncio loop conformance")
    for column in found.columns:
        root.append(_suite(column, found.requirements))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(column: Column, requirements: Mapping[str, Mapping[str, Any]]) -> ElementTree.Element:
    name = clean(f"{column.label} {column.version}, Python {column.python}")
    suite = ElementTree.Element("testsuite", name=name)
    cases = list(_cases(column, requirements))
    suite.extend(cases)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")
    suite.set("timestamp", clean(str(column.headers[0]["started"]).removesuffix("Z")))
    return suite


def _cases(column: Column, requirements: Mapping[str, Mapping[str, Any]]) -> Iterator[ElementTree.Element]:
    for id, cell in sorted(column.cells.items()):
        for result in cell.results:
            name = id + (f"[{result['case']}]" if result["case"] else "")
            seconds = f"{result.get('seconds', 0):.3f}"
            case = ElementTree.Element("testcase", classname=clean(column.label), name=clean(name), time=seconds)
            rerun = entries.rerun(id, column.spec, column.label)
            _outcome(case, Verdict(result["verdict"]), result, requirements[id], rerun)
            yield case


def _outcome(
    case: ElementTree.Element, verdict: Verdict, result: Mapping[str, Any], requirement: Mapping[str, Any], rerun: str
) -> None:
    seen = str(result.get("seen", ""))
    first = seen.split("\n")[0][:200]
    if verdict is Verdict.CONFORMS:
        return
    if verdict in WRONG and not result.get("expected") and requirement["level"] != "may":
        level = str(requirement["level"]).upper()
        failure = ElementTree.SubElement(case, "failure", type=verdict.value)
        failure.set("message", clean(f"{level}: {requirement['statement']} {verdict}: {first}"))
        failure.text = clean(f"{seen}\n\nhint: {requirement['hint']}\nrerun: {rerun}")
    elif verdict is Verdict.ERRORED:
        ElementTree.SubElement(case, "error", type=verdict.value, message=clean(first)).text = clean(seen)
    else:
        reason = str(result.get("expected") or first)
        ElementTree.SubElement(case, "skipped", message=clean(f"{verdict}: {reason}"))


def clean(text: str) -> str:
    """`text` without what no XML document may hold."""
    return _NOT_XML.sub("�", text)
