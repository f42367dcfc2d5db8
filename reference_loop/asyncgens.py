"""Closes asynchronous generators that were left half-way (PEP 525; loop.shutdown_asyncgens).

While the loop runs, the interpreter tells it of every generator's first iteration and asks it to finalise those that
are garbage. The thread's earlier hooks are put back when the loop stops.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
import weakref
from typing import Any

from .core import LoopCore


class AsyncgensMixin(LoopCore):
    """shutdown_asyncgens and the two hooks."""

    _asyncgens_shut_down = False

    def __init__(self) -> None:
        super().__init__()
        self._asyncgens: weakref.WeakSet[Any] = weakref.WeakSet()

    def _install_asyncgen_hooks(self) -> Any:
        """Install the hooks in this thread; returns the earlier ones for `sys.set_asyncgen_hooks(*earlier)`."""
        earlier = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._asyncgen_started, finalizer=self._asyncgen_abandoned)
        return earlier

    def _asyncgen_started(self, agen: Any) -> None:
        if self._asyncgens_shut_down:
            warnings.warn(
                f"asynchronous generator {agen!r} was scheduled after loop.shutdown_asyncgens() call",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
        self._asyncgens.add(agen)

    def _asyncgen_abandoned(self, agen: Any) -> None:
        # The collector may run in any thread, and while the loop does anything at all.
        self._asyncgens.discard(agen)
        if not self._closed:
            self.call_soon_threadsafe(self.create_task, agen.aclose())

    async def shutdown_asyncgens(self) -> None:
        """Close every generator that is still alive (asyncio-eventloop: loop.shutdown_asyncgens)."""
        self._asyncgens_shut_down = True
        closing = list(self._asyncgens)
        self._asyncgens.clear()
        results = await asyncio.gather(*(agen.aclose() for agen in closing), return_exceptions=True)
        for agen, result in zip(closing, results, strict=True):
            if isinstance(result, Exception):
                self.call_exception_handler(
                    {
                        "message": f"an error occurred during closing of asynchronous generator {agen!r}",
                        "exception": result,
                        "asyncgen": agen,
                    }
                )
