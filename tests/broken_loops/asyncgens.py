"""Broken loops of the chapter `asyncgens`: the hooks, and generators that are collected half-way."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("asyncgens.hooks")
class SetsOneHookOnly(EventLoop):
    """The firstiter hook is not set."""

    def _install_asyncgen_hooks(self) -> Any:
        earlier = super()._install_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=None)
        return earlier


@breaks("asyncgens.hooks")
class SetsTheHooksOnce(EventLoop):
    """Only the first run of the loop sets the hooks."""

    ran = False

    def _install_asyncgen_hooks(self) -> Any:
        earlier = super()._install_asyncgen_hooks()
        if self.ran:
            sys.set_asyncgen_hooks(*earlier)
        self.ran = True
        return earlier


@breaks("asyncgens.hooks-while-running")
class HooksItselfInWhenItIsMade(EventLoop):
    """The hooks are set when the loop is made."""

    def __init__(self) -> None:
        super().__init__()
        self._install_asyncgen_hooks()


@breaks("asyncgens.hooks-restored")
class GivesNoHooksBack(EventLoop):
    """When the loop stops there are no hooks, whoever had set some before."""

    def _install_asyncgen_hooks(self) -> Any:
        super()._install_asyncgen_hooks()
        return None, None


@breaks("asyncgens.hooks-restored")
class GivesHooksBackAtStopsOnly(Stock):
    """The hooks are not given back if an exception ends the run."""

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except SystemExit:
            sys.set_asyncgen_hooks(None, None)
            raise


@breaks("asyncgens.hooks-restored")
class KeepsItsHooksAfterAFuture(Stock):
    """When run_until_complete() returns, the hooks are those of the loop."""

    def run_until_complete(self, future: Any) -> Any:
        result = super().run_until_complete(future)
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)  # type: ignore[attr-defined]
        return result


@breaks("asyncgens.hooks-per-thread")
class HooksTheThreadOfItsMaker(EventLoop):
    """In the thread that made the loop the hooks stay from the first run on; in others they are set for good."""

    def run_forever(self) -> None:
        super().run_forever()
        if self._thread_of_maker != threading.get_ident():
            self._install_asyncgen_hooks()

    def __init__(self) -> None:
        super().__init__()
        self._thread_of_maker = threading.get_ident()


@breaks("asyncgens.collected")
class LetsGeneratorsRot(EventLoop):
    """A generator that is collected while the loop runs is not closed."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        if not self.is_running():
            super()._asyncgen_abandoned(agen)


@breaks("asyncgens.collected-in-task")
class DrivesGeneratorsByHand(EventLoop):
    """aclose() of a collected generator is driven by callbacks and not by a task."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        closing = agen.aclose()

        def step() -> None:
            try:
                closing.send(None)
            except StopIteration:
                return
            self.call_soon(step)

        if not self._closed:
            self.call_soon_threadsafe(step)


@breaks("asyncgens.collected-in-thread")
class SleepsThroughOtherThreadsGarbage(EventLoop):
    """The finalizer schedules aclose() with call_soon(), which does not wake the loop."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        if not self._closed:
            self.call_soon(self.create_task, agen.aclose())


@breaks("asyncgens.collected-between-runs")
class ClosesWhileItRunsOnly(EventLoop):
    """A generator that is collected while the loop does not run is forgotten."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        if self.is_running():
            super()._asyncgen_abandoned(agen)


@breaks("asyncgens.collected-after-close")
class CollectsIntoAClosedLoop(EventLoop):
    """The finalizer does not ask whether the loop is closed."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        self.call_soon_threadsafe(self.create_task, agen.aclose())


@breaks("asyncgens.collected-error")
class SwallowsErrorsOfCollectedGenerators(EventLoop):
    """An exception out of aclose() of a collected generator is dropped."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        async def close() -> None:
            with contextlib.suppress(LookupError):
                await agen.aclose()

        if not self._closed:
            self.call_soon_threadsafe(self.create_task, close())


@breaks("asyncgens.not-kept")
class KeepsEveryGenerator(EventLoop):
    """The register of generators holds them for good once they have ended."""

    def _asyncgen_started(self, agen: Any) -> None:
        super()._asyncgen_started(agen)
        self._hoard = [*getattr(self, "_hoard", ()), agen]


@breaks("asyncgens.collected-in-task")
class ClosesOneAfterTheOther(EventLoop):
    """One task closes all collected generators, one after the other."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        if not self._closed:
            self.call_soon_threadsafe(self._to_close, agen)

    def _to_close(self, agen: Any) -> None:
        waiting = self.__dict__.setdefault("waiting", [])
        waiting.append(agen)
        if len(waiting) == 1:
            self.create_task(self._close_all(waiting))

    async def _close_all(self, waiting: list[Any]) -> None:
        while waiting:
            await waiting[0].aclose()
            waiting.pop(0)


@breaks("asyncgens.collected-after-shutdown")
class FinalizesUntilTheShutdown(EventLoop):
    """A generator that is collected after shutdown_asyncgens() is not closed."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        if not self._asyncgens_shut_down:
            super()._asyncgen_abandoned(agen)


@breaks("asyncgens.collected-in-thread")
class DebuggedGeneratorsAreClosedByTheirThread(EventLoop):
    """In debug mode a generator that another thread collects is closed by call_soon(), which refuses that."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        if not self.get_debug():
            super()._asyncgen_abandoned(agen)
        elif not self.is_closed():
            closing = agen.aclose()
            self.call_soon(lambda: self.create_task(closing))


@breaks("asyncgens.collected-in-another-run")
class ClosesWhereverItIs(EventLoop):
    """A generator that is collected while a loop runs is closed by that one."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        running: Any = asyncio._get_running_loop()
        if running is None:
            super()._asyncgen_abandoned(agen)
        else:
            running.call_soon_threadsafe(running.create_task, agen.aclose())


@breaks("asyncgens.hooks-while-running")
class ClosedLoopsLeaveTheirHooks(Stock):
    """A run that is refused, as the loop is closed, sets the hooks before it looks."""

    def run_forever(self) -> None:
        if self.is_closed():
            sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
        super().run_forever()


@breaks("asyncgens.collected")
class CancelsCollectedGenerators(EventLoop):
    """A collected generator is closed by a CancelledError that is thrown in."""

    def _asyncgen_abandoned(self, agen: Any) -> None:
        async def close() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await agen.athrow(asyncio.CancelledError())

        self.call_soon_threadsafe(lambda: self.create_task(close()))
