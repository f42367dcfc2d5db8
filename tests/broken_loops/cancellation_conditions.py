"""Broken loops of the chapter `cancellation`: right of most tasks, and wrong in one state."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.cancellation import Cancelling
from tests.broken_loops.tasks import Task
from tests.broken_loops.tasks_conditions import failed, running, unstarted


@breaks("cancellation.cancelled")
class RequestedBeforeItsStartIsCancelled(Cancelling):
    """cancelled() is true of a task that was not started from the request on."""

    class own(Task):
        def cancelled(self) -> bool:
            return super().cancelled() or (unstarted(self) and self.cancelling() > 0)


@breaks("cancellation.count")
class UnstartedTasksCountNothing(Cancelling):
    """cancelling() of a task that was not started is 0."""

    class own(Task):
        def cancelling(self) -> int:
            return 0 if unstarted(self) else super().cancelling()


@breaks("cancellation.raised")
class AnyCancellationCounts(Cancelling):
    """cancelling() of a task that was cancelled is 1 at least."""

    class own(Task):
        def cancelling(self) -> int:
            return max(super().cancelling(), int(self.cancelled()))


@breaks("cancellation.awaiter")
class LateAwaitersGetNone(Cancelling):
    """Awaiting a task that is cancelled already gives None."""

    class own(Task):
        def __await__(self) -> Generator[Any, None, Any]:
            return iter(()) if self.cancelled() else super().__await__()  # type: ignore[return-value]


@breaks("cancellation.itself")
class TasksCancelThemselvesWithoutAMessage(Cancelling):
    """The message is lost if a task cancels itself."""

    class own(Task):
        def cancel(self, msg: Any = None) -> bool:
            return super().cancel(None if running(self) else msg)


@breaks("cancellation.error-in-cleanup")
class ARequestToOneselfIsTheEnd(Cancelling):
    """cancelled() is true of a task that has cancelled itself, and raised another exception before its next await."""

    class own(Task):
        by_itself = False

        def cancel(self, msg: Any = None) -> bool:
            self.by_itself = self.by_itself or running(self)
            return super().cancel(msg)

        def cancelled(self) -> bool:
            return super().cancelled() or (failed(self) and self.by_itself)
