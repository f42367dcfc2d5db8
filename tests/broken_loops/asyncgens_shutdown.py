"""Broken loops of the chapter `asyncgens`: shutdown_asyncgens(), and the warning after it."""

from __future__ import annotations

import asyncio
import warnings
import weakref
from typing import Any

from reference_loop import EventLoop
from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("asyncgens.shutdown")
class ClosesTheFirstTwo(EventLoop):
    """shutdown_asyncgens() closes two generators at most."""

    async def shutdown_asyncgens(self) -> None:
        while len(self._asyncgens) > 2:
            self._asyncgens.pop()
        await super().shutdown_asyncgens()


@breaks("asyncgens.shutdown")
class StartsToClose(EventLoop):
    """shutdown_asyncgens() ends before the generators are closed."""

    async def shutdown_asyncgens(self) -> None:
        closing = super().shutdown_asyncgens
        self.create_task(closing())


@breaks("asyncgens.shutdown-together")
class ClosesInARow(EventLoop):
    """shutdown_asyncgens() closes one generator after the other."""

    async def shutdown_asyncgens(self) -> None:
        waiting = list(self._asyncgens)
        for generator in waiting:
            self._asyncgens = weakref.WeakSet([generator])
            await super().shutdown_asyncgens()


@breaks("asyncgens.shutdown-nothing")
class ShutsDownOnce(Stock):
    """A second shutdown_asyncgens() raises."""

    down = False

    async def shutdown_asyncgens(self) -> None:
        if self.down and not self.is_closed():
            raise RuntimeError("asynchronous generators are shut down already")
        self.down = True
        await super().shutdown_asyncgens()


@breaks("asyncgens.shutdown-not-started")
class RefusesGeneratorsAfterTheShutdown(EventLoop):
    """A generator that is iterated after shutdown_asyncgens() is ended at once."""

    def _asyncgen_started(self, agen: Any) -> None:
        super()._asyncgen_started(agen)
        if self._asyncgens_shut_down:
            raise RuntimeError("asynchronous generators are shut down")


@breaks("asyncgens.shutdown-inside")
class ShutsDownBetweenRuns(EventLoop):
    """shutdown_asyncgens() waits until no other task is left."""

    async def shutdown_asyncgens(self) -> None:
        if any("main" in repr(task.get_coro()) for task in asyncio.all_tasks()):
            return
        await super().shutdown_asyncgens()


@breaks("asyncgens.warns")
class DoesNotWarn(EventLoop):
    """A generator that is iterated first after the shutdown is registered without a word."""

    def _asyncgen_started(self, agen: Any) -> None:
        self._asyncgens.add(agen)


@breaks("asyncgens.warns-for-each")
class WarnsOnce(EventLoop):
    """Only the first generator after the shutdown is warned of."""

    warned = False

    def _asyncgen_started(self, agen: Any) -> None:
        if not self.warned:
            super()._asyncgen_started(agen)
        self.warned = self._asyncgens_shut_down


@breaks("asyncgens.warns-old-not")
class WarnsOfEveryGenerator(EventLoop):
    """Each generator that is iterated is warned of."""

    def _asyncgen_started(self, agen: Any) -> None:
        super()._asyncgen_started(agen)
        if not self._asyncgens_shut_down:
            warnings.warn("close me", ResourceWarning, stacklevel=2)


class _ReportsOtherwise(EventLoop):
    """Changes the report of a generator that failed while it was closed."""

    def changed(self, context: dict[str, Any]) -> dict[str, Any] | None:
        raise NotImplementedError

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if "asyncgen" in context:
            changed = self.changed(context)
            if changed is None:
                return
            context = changed
        super().call_exception_handler(context)


@breaks("asyncgens.error")
class KeepsQuietAboutGenerators(_ReportsOtherwise):
    """An exception out of aclose() is not reported."""

    def changed(self, context: dict[str, Any]) -> dict[str, Any] | None:
        return None


@breaks("asyncgens.error-key")
class DoesNotNameTheGenerator(_ReportsOtherwise):
    """The report of a generator that failed lacks the key asyncgen."""

    def changed(self, context: dict[str, Any]) -> dict[str, Any] | None:
        return {key: value for key, value in context.items() if key != "asyncgen"}


@breaks("asyncgens.error-isolated")
class RaisesOutOfTheShutdown(EventLoop):
    """The exception of a generator comes out of shutdown_asyncgens()."""

    async def shutdown_asyncgens(self) -> None:
        self._asyncgens_shut_down = True
        closing = list(self._asyncgens)
        self._asyncgens.clear()
        for generator in closing:
            try:
                await generator.aclose()
            except LookupError as error:
                self.call_exception_handler({"message": "closing", "exception": error, "asyncgen": generator})
                if len(closing) > 1:
                    raise


_REGISTER: weakref.WeakSet[Any] = weakref.WeakSet()


@breaks("asyncgens.per-loop")
class ShareARegister(EventLoop):
    """All loops keep their generators in one register."""

    def __init__(self) -> None:
        super().__init__()
        self._asyncgens = _REGISTER


@breaks("asyncgens.run-closes", since="3.12")
class ForgetsTheGeneratorsOfARun(EventLoop):
    """The register of generators is emptied when a Runner's task has ended."""

    def run_until_complete(self, future: Any) -> Any:
        try:
            return super().run_until_complete(future)
        finally:
            if isinstance(future, asyncio.Task):
                self._asyncgens.clear()


@breaks("asyncgens.shutdown")
class KnowsSixteenGenerators(Stock):
    """The register of generators has room for sixteen."""

    def run_forever(self) -> None:
        kept = getattr(self, "kept", [])
        add = self._asyncgen_firstiter_hook

        def firstiter(generator: Any) -> None:
            kept.append(weakref.ref(generator))
            if len(kept) <= 16:
                add(generator)

        self.kept, self._asyncgen_firstiter_hook = kept, firstiter
        try:
            super().run_forever()
        finally:
            self._asyncgen_firstiter_hook = add


@breaks("asyncgens.error-isolated")
class ACancelledGeneratorCancelsTheRest(EventLoop):
    """CancelledError of one generator comes out of shutdown_asyncgens()."""

    async def shutdown_asyncgens(self) -> None:
        closing = list(self._asyncgens)
        self._asyncgens.clear()
        await super().shutdown_asyncgens()
        async with asyncio.TaskGroup() as group:
            for generator in closing:
                group.create_task(self.closed(generator))
        if any(isinstance(error, asyncio.CancelledError) for error in self.errors):
            raise asyncio.CancelledError

    errors: tuple[BaseException, ...] = ()

    async def closed(self, generator: Any) -> None:
        try:
            await generator.aclose()
        except BaseException as error:
            self.errors = (*self.errors, error)
            if isinstance(error, Exception):
                self.call_exception_handler({"message": "closing", "exception": error, "asyncgen": generator})


@breaks("asyncgens.error")
class GeneratorsMayIgnoreTheirEnd(Stock):
    """A generator that yields when it is closed is not reported."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if "asyncgen" not in context or not isinstance(context.get("exception"), RuntimeError):
            super().call_exception_handler(context)


@breaks("asyncgens.shutdown")
class ForgetsGeneratorsOfCallbacks(EventLoop):
    """Generators that are iterated where no task is current are not registered."""

    def _asyncgen_started(self, agen: Any) -> None:
        if asyncio.current_task() is not None:
            super()._asyncgen_started(agen)


@breaks("asyncgens.error-isolated")
class DebugModeEndsAtTheFirstError(EventLoop):
    """In debug mode generators are closed one after the other, up to the first exception."""

    async def shutdown_asyncgens(self) -> None:
        if self.get_debug():
            while self._asyncgens:
                await self._asyncgens.pop().aclose()
        await super().shutdown_asyncgens()


@breaks("asyncgens.shutdown")
class CancelsOpenGenerators(EventLoop):
    """Open generators are closed by a CancelledError that is thrown in."""

    async def shutdown_asyncgens(self) -> None:
        opened = list(self._asyncgens)
        await super().shutdown_asyncgens() if not opened else self._asyncgens.clear()
        await asyncio.gather(*(agen.athrow(asyncio.CancelledError()) for agen in opened), return_exceptions=True)
