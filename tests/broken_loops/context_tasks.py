"""Broken loops of the chapter `context`: tasks and their surroundings."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.tasks import of_chapter
from tests.broken_loops.tasks_running import Stepping

Stock = asyncio.SelectorEventLoop
_MARK: contextvars.ContextVar[object] = contextvars.ContextVar("_MARK", default=None)


class _OfTheChapter(Stock):
    """Changes the context of the coroutines of this chapter's tests, of the name `name` if there is one."""

    name = ""

    def context_for(self, coro: Any) -> contextvars.Context | None:
        return None

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if of_chapter(coro, "context_tasks") and coro.__name__.startswith(self.name):
            kwargs["context"] = self.context_for(coro)
        return super().create_task(coro, **kwargs)


@breaks("context.copied-at-creation")
class TasksCopyTheContextWhenTheyStart(Stock):
    """A task that is made outside a run sees what is current when the run begins."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if not of_chapter(coro, "context_tasks") or self.is_running():
            return super().create_task(coro, **kwargs)
        return super().create_task(coro, context=contextvars.Context())


@breaks("context.siblings")
class TasksShareOneContext(_OfTheChapter):
    """All tasks run in one context of the loop."""

    name = "_set"

    def __init__(self) -> None:
        super().__init__()
        self.one: contextvars.Context | None = None

    def context_for(self, coro: Any) -> contextvars.Context | None:
        self.one = self.one or contextvars.copy_context()
        return self.one


@breaks("context.run-until-complete")
class ChangesTheCallersContext(Stock):
    """What the main coroutine has set is set for the caller, too."""

    def run_until_complete(self, future: Any) -> Any:
        if not of_chapter(future, "context_tasks") or future.__name__ != "_set":
            return super().run_until_complete(future)
        context = contextvars.copy_context()
        result = super().run_until_complete(self.create_task(future, context=context))
        for variable, value in context.items():
            variable.set(value)
        return result


@breaks("context.between-runs")
class KeepsTheContextOfTheFirstRun(_OfTheChapter):
    """The coroutines of all runs see the context of the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = contextvars.copy_context()

    def context_for(self, coro: Any) -> contextvars.Context | None:
        return self.first.copy() if not self.is_running() and coro.__name__ == "_ask" else None


@breaks("context.exception-and-return")
class StaysInTheContextOfFailures(Stock):
    """The context of a callback that raised LookupError stays entered."""

    failure: type[BaseException] = LookupError

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__name__", "") != "callback" or context is None or args:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(self.run_and_stay, callback, context)

    def run_and_stay(self, callback: Any, context: contextvars.Context) -> None:
        inside = threading.Event()

        def stay() -> None:
            inside.set()
            threading.Event().wait()

        try:
            context.run(callback)
        except self.failure:
            # Another thread, as this one would have to leave it before it goes on.
            threading.Thread(target=context.run, args=(stay,), daemon=True).start()
            inside.wait()
            raise


@breaks("context.exception-and-return")
class StaysInTheContextOfExits(StaysInTheContextOfFailures):
    """The context of a callback that raised SystemExit stays entered."""

    failure = SystemExit


@breaks("context.threadsafe-coroutine")
class ForgetsTheContextOfThreads(Stock):
    """call_soon_threadsafe() runs a function of asyncio's own in an empty context."""

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if getattr(callback, "__module__", "") == "asyncio.tasks" and context is None:
            context = contextvars.Context()
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("context.add-writer")
class WritersForgetTheContext(Stock):
    """A callback of add_writer() runs in an empty context."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        context = contextvars.Context()
        return super().add_writer(fd, lambda: context.run(callback, *args))


@breaks("context.task-given")
class ContextsOfNamedTasksAreLost(Stock):
    """The context is dropped if a name is given, too."""

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **kwargs: Any) -> Any:
        return super().create_task(coro, name=name, context=context if name is None else None, **kwargs)


@breaks("context.copied-at-creation")
class CallbacksHaveNoContextToCopy(Stock):
    """A task that is made where none is current sees an empty context."""

    def create_task(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Any:
        if of_chapter(coro, "context_tasks") and self.is_running() and asyncio.current_task(self) is None:
            context = contextvars.Context()
        return super().create_task(coro, context=context, **kwargs)


@breaks("context.task-steps-keep")
class WrongYieldsAreThrownInACopy(Stepping):
    """The step in which a coroutine gets the RuntimeError for a wrong yield runs in a copy of its context."""

    chapter = "context"

    def mine(self, coro: Any) -> bool:
        return coro.__name__ == "waiter"

    def looked_at(self, coro: Any, yielded: Any) -> Any:
        if yielded is None or asyncio.isfuture(yielded):
            return yielded
        return self.looked_at(coro, contextvars.copy_context().run(coro.throw, RuntimeError("a wrong yield")))


@breaks("context.task-given")
class ContextsOfTheirMakersAreCopied(Stock):
    """The context given to create_task() is copied if it is the one that is entered."""

    def create_task(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Any:
        token = _MARK.set(object())
        if context is not None and context.get(_MARK) is _MARK.get():
            context = context.copy()
        _MARK.reset(token)
        return super().create_task(coro, context=context, **kwargs)
