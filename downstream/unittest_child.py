"""Runs unittest modules in this process on a substituted loop, and writes one line of JSON per test.

`python unittest_child.py OUTCOMES LOOP MODULE...`, where LOOP is `module:class` or `asyncio`. Tests that OUTCOMES has
already are left out, so that a run which a test has hung or crashed can be continued by another process.
"""

from __future__ import annotations

import faulthandler
import sys
import time
import unittest
from typing import Any

import substitute
from outcomes import Outcome, Writer

# Seconds for one test: far more than any needs, on a loaded machine too.
_PATIENCE = 120


class _Result(unittest.TestResult):
    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer
        self._forget()

    def _forget(self) -> None:
        self._outcome, self._detail = "passed", ""
        self._before = substitute.made.copy()
        self._start = time.perf_counter()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        faulthandler.dump_traceback_later(_PATIENCE, exit=True)
        self._forget()
        self._writer.begin(test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        loops = dict(substitute.made - self._before)
        seconds = time.perf_counter() - self._start
        self._writer.end(Outcome(test.id(), self._outcome, self._detail, loops, seconds))
        self._forget()  # Python 3.12.1 stops tests that it skips without having started them
        super().stopTest(test)

    def _failed(self, exc_info: Any) -> None:
        self._outcome = "failed"
        self._detail = f"{exc_info[0].__name__}: {exc_info[1]}"

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        if isinstance(test, unittest.TestCase):
            self._failed(err)
        else:  # of a class or a module: there was no startTest()
            self._writer.end(Outcome(test.id(), "failed", f"{err[0].__name__}: {err[1]}", {}, 0))

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        self._failed(err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            self._failed(err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._outcome, self._detail = "skipped", reason

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        self._outcome = "skipped"

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self._outcome, self._detail = "failed", "unexpected success"


def _flatten(suite: Any) -> Any:
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _flatten(item)
        else:
            yield item


def main(path: str, loop: str, *modules: str) -> None:
    substitute.install(None if loop == "asyncio" else loop)
    writer = Writer(path)
    loader = unittest.defaultTestLoader
    for module in modules:
        tests = [test for test in _flatten(loader.loadTestsFromName(module)) if test.id() not in writer.known]
        if tests:
            unittest.TestSuite(tests).run(_Result(writer))


if __name__ == "__main__":
    main(*sys.argv[1:])
