"""The life cycle: making, starting, stopping and closing loops."""

from __future__ import annotations

import asyncio

from bench.workload import Workload


async def nothing() -> int:
    return 1


class _Outside(Workload):
    """Makes its own loops."""

    in_loop = False
    total: int

    def check(self, loops: int) -> None:
        self.expect(self.total, loops, "results")


class NewRunClose(_Outside):
    """The factory, run_until_complete() of a coroutine that returns at once, close()."""

    name = "lifecycle.new_run_close"
    drives = "the factory, loop.run_until_complete, loop.close"
    unit = "loop"

    def run_outside(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops):
            loop = self.factory()
            self.total += loop.run_until_complete(nothing())
            loop.close()


class AsyncioRun(_Outside):
    """asyncio.Runner with the factory: what asyncio.run() does."""

    name = "lifecycle.asyncio_run"
    drives = "asyncio.Runner(loop_factory=…)"
    unit = "run"

    def run_outside(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops):
            with asyncio.Runner(loop_factory=self.factory) as runner:
                self.total += runner.run(nothing())


class RunUntilComplete(_Outside):
    """run_until_complete() again and again on one loop."""

    name = "lifecycle.run_until_complete"
    drives = "loop.run_until_complete"
    unit = "run"

    def prepare(self) -> None:
        self.loop = self.factory()

    def run_outside(self, loops: int) -> None:
        self.total = 0
        for _ in range(loops):
            self.total += self.loop.run_until_complete(nothing())
