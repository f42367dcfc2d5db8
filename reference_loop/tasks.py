"""Making futures and tasks ("Creating Futures and Tasks" in the documentation).

Tasks are asyncio's own: this module only passes on what the caller gave, and asks the task factory if there is one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from .core import LoopCore

TaskFactory = Callable[..., "asyncio.Future[Any]"]


class TasksMixin(LoopCore):
    """create_future, create_task, set_task_factory, get_task_factory."""

    _task_factory: TaskFactory | None = None

    def create_future(self) -> asyncio.Future[Any]:
        """A new future of this loop (asyncio-eventloop: loop.create_future)."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # what was given must be told from what was not
        self, coro: Coroutine[Any, Any, Any], **kwargs: Any
    ) -> Any:
        """Schedule a coroutine as a task (asyncio-eventloop: loop.create_task).

        Keyword arguments: `name`, `context`, and what the Task of this Python or the task factory takes besides
        (`eager_start`).
        """
        if self._closed:
            self._check_closed()
        factory = self._task_factory
        if factory is None:
            return asyncio.Task(coro, loop=self, **kwargs)
        if sys.version_info >= (3, 14):
            return factory(self, coro, **kwargs)
        # Until 3.14 a factory need not know `name`, and `context` only when somebody gives one.
        name = kwargs.pop("name", None)
        if kwargs.get("context", self) is None:
            del kwargs["context"]
        task: Any = factory(self, coro, **kwargs)
        if name is not None and hasattr(task, "set_name"):
            task.set_name(name)
        return task

    def set_task_factory(self, factory: TaskFactory | None) -> None:
        """Make create_task() call `factory(loop, coro, **kwargs)` (asyncio-eventloop: loop.set_task_factory)."""
        if factory is not None and not callable(factory):
            raise TypeError(f"A task factory is a callable (loop, coro, **kwargs) or None, not {factory!r}")
        self._task_factory = factory

    def get_task_factory(self) -> TaskFactory | None:
        """The task factory, or None for the default (asyncio-eventloop: loop.get_task_factory)."""
        return self._task_factory
