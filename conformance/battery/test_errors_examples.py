"""Chapter errors: the documentation's example of an exception that nobody retrieves."""

from __future__ import annotations

import asyncio
import gc

from conformance.kit.cases import each
from conformance.kit.logs import logged
from conformance.loops import Factory
from conformance.requirement import MUST, requirement


@requirement(
    "errors.example-never-retrieved",
    MUST,
    cite=("asyncio-dev: Detect never-retrieved exceptions", "asyncio-dev: §Logging"),
)
@each("debug", [False, True])
def test_a_task_fails_while_its_program_ends(make_loop: Factory, debug: bool) -> None:
    """A task that main() creates as its last act still begins, and its exception is logged, as nobody retrieves it.

    If this fails: look for a run that ends before what was scheduled by then has run, or a loop whose end forgets.
    """
    error = RuntimeError("not consumed")

    async def bug() -> None:
        raise error

    async def main() -> None:
        asyncio.create_task(bug())  # noqa: RUF006 (as in the documentation)

    with logged() as records, asyncio.Runner(debug=debug, loop_factory=make_loop) as runner:
        runner.get_loop().slow_callback_duration = 3600
        runner.run(main())
        gc.collect()
        seen = [record.exc_info[1] for record in records if record.exc_info]
    assert seen == [error]
