"""Blocking functions in threads ("Executing code in thread or process pools" in the documentation).

The default executor is made when it is first needed; close() tells it to stop without waiting, and
shutdown_default_executor() waits.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from .core import LoopCore

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ExecutorsMixin(LoopCore):
    """run_in_executor, set_default_executor, shutdown_default_executor."""

    _default_executor: ThreadPoolExecutor | None = None
    _executor_shut_down = False

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """A future for `func(*args)`, run in the executor's threads (asyncio-eventloop: loop.run_in_executor)."""
        self._check_closed()
        if self._debug:
            self._check_callback(func, "run_in_executor")
        if executor is None:
            if self._executor_shut_down:
                raise RuntimeError("Executor shutdown has been called")
            if self._default_executor is None:
                self._default_executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
            executor = self._default_executor
        return asyncio.wrap_future(executor.submit(func, *args), loop=self)

    def set_default_executor(self, executor: ThreadPoolExecutor) -> None:  # type: ignore[override]  # see typeshed
        """Replace the default executor (asyncio-eventloop: loop.set_default_executor)."""
        if not isinstance(executor, ThreadPoolExecutor):
            raise TypeError(f"executor must be ThreadPoolExecutor instance, not {executor!r}")
        self._default_executor = executor

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the default executor's threads (asyncio-eventloop: loop.shutdown_default_executor).

        After `timeout` seconds: a RuntimeWarning, and the threads are left to themselves.
        """
        self._executor_shut_down = True
        executor = self._default_executor
        if executor is None:
            return
        # Joining blocks, so that it is done by one more thread, whose end is what we wait for.
        joined = self.create_future()
        thread = threading.Thread(target=self._join_executor, args=(executor, joined))
        thread.start()
        try:
            async with asyncio.timeout(timeout):
                await joined
        except TimeoutError:
            warnings.warn(
                f"The executor did not finishing joining its threads within {timeout} seconds.",
                RuntimeWarning,
                stacklevel=2,
            )
            executor.shutdown(wait=False)
        else:
            thread.join()

    def _join_executor(self, executor: Executor, joined: asyncio.Future[None]) -> None:
        error: Exception | None = None
        try:
            executor.shutdown(wait=True)
        except Exception as exc:
            error = exc
        if not self._closed:
            self.call_soon_threadsafe(_resolve, joined, error)

    def _abandon_executor(self) -> None:
        """Tell the default executor to stop, without waiting: for close()."""
        self._executor_shut_down = True
        executor, self._default_executor = self._default_executor, None
        if executor is not None:
            executor.shutdown(wait=False)


def _resolve(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
