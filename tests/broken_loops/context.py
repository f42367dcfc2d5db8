"""Broken loops of the chapter `context`."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


class _Scheduling(Stock):
    """Changes the context of callbacks of the chapter's own kind."""

    def changed(self, callback: Any, args: tuple[Any, ...], context: Any) -> tuple[Any, tuple[Any, ...], Any]:
        return callback, args, context

    def mine(self, callback: Any) -> bool:
        return getattr(callback, "__name__", "") in {"_ask", "again", "set", "ask_and_set"}

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.mine(callback):
            callback, args, context = self.changed(callback, args, context)
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if self.mine(callback):
            callback, args, context = self.changed(callback, args, context)
        return super().call_soon_threadsafe(callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.mine(callback):
            callback, args, context = self.changed(callback, args, context)
        return super().call_at(when, callback, *args, context=context)


@breaks("context.default-is-current")
class RunsInAnEmptyContext(_Scheduling):
    """Without a context, a callback runs in an empty one."""

    def changed(self, callback: Any, args: tuple[Any, ...], context: Any) -> tuple[Any, tuple[Any, ...], Any]:
        return callback, args, context or contextvars.Context()


@breaks("context.copied-when-scheduled")
class KeepsAReferenceToTheContext(_Scheduling):
    """A callback sees what its caller set after it was scheduled."""

    def changed(self, callback: Any, args: tuple[Any, ...], context: Any) -> tuple[Any, tuple[Any, ...], Any]:
        if context is None and callback.__name__ == "_ask":
            from conformance.battery.test_context import VARIABLE

            seen = contextvars.copy_context()
            if seen.get(VARIABLE) == "when scheduled":
                seen.run(VARIABLE.set, "changed afterwards")
            context = seen
        return callback, args, context


_SHARED = contextvars.Context()


@breaks("context.changes-stay-inside")
class OneContextForAll(_Scheduling):
    """Callbacks that set or ask run in one context."""

    def changed(self, callback: Any, args: tuple[Any, ...], context: Any) -> tuple[Any, tuple[Any, ...], Any]:
        current = contextvars.copy_context()
        if context is None and not any(var.name == "VARIABLE" for var in current):
            context = _SHARED
        return callback, args, context


@breaks("context.explicit")
class IgnoresTheContext(_Scheduling):
    """The context that is given is ignored."""

    def changed(self, callback: Any, args: tuple[Any, ...], context: Any) -> tuple[Any, tuple[Any, ...], Any]:
        return callback, args, None


@breaks("context.explicit-is-not-copied")
class CopiesTheContext(_Scheduling):
    """The context that is given is copied."""

    def changed(self, callback: Any, args: tuple[Any, ...], context: Any) -> tuple[Any, tuple[Any, ...], Any]:
        return callback, args, context and context.copy()


@breaks("context.explicit-is-not-copied")
class TakesAnEmptyContextForNone(Stock):
    """A context that holds nothing is false, and so replaced by a copy of the current one."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when, callback, *args, context=context or None)


@breaks("context.keyword-only")
class TakesAContextByPosition(Stock):
    """A Context as the last positional argument is taken for the context."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args and isinstance(args[-1], contextvars.Context):
            *rest, context = args
            args = tuple(rest)
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args and isinstance(args[-1], contextvars.Context):
            *rest, context = args
            args = tuple(rest)
        return super().call_soon_threadsafe(callback, *args, context=context)


@breaks("context.nested-run")
class CopiesAContextThatIsInUse(_Scheduling):
    """A context that is entered when a callback is scheduled is copied."""

    def changed(self, callback: Any, args: tuple[Any, ...], context: Any) -> tuple[Any, tuple[Any, ...], Any]:
        if context is not None and callback.__name__ == "again" and args[0] < 2:
            context = contextvars.Context()
        return callback, args, context


class _PlainFuture(asyncio.Future[Any]):
    """A future that calls back in an empty context."""

    def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
        super().add_done_callback(fn, context=contextvars.Context())


@breaks("context.done-callback")
class FuturesForgetTheContext(Stock):
    """A done callback of create_future() runs in an empty context."""

    def create_future(self) -> asyncio.Future[Any]:
        return _PlainFuture(loop=self)


@breaks("context.task-copies")
class TasksShareTheContext(Stock):
    """The task of a coroutine function `change` does not see its creator's context."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if coro.__name__ == "change" and kwargs.get("context") is None:
            kwargs["context"] = contextvars.Context()
        return super().create_task(coro, **kwargs)


@breaks("context.task-given")
class TasksCopyTheContext(Stock):
    """create_task(context=…) copies the context."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if kwargs.get("context") is not None:
            kwargs["context"] = kwargs["context"].copy()
        return super().create_task(coro, **kwargs)


@breaks("context.task-steps-keep")
class StepsRunInTheWakersContext(Stock):
    """A task that a future wakes goes on in the context of whoever completed it."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args and isinstance(args[0], asyncio.Future) and not isinstance(args[0], asyncio.Task):
            from conformance.battery.test_context_tasks import VARIABLE

            if context is not None and context.get(VARIABLE) == "set before wait 0":
                context.run(VARIABLE.set, "of main")
        return super().call_soon(callback, *args, context=context)


@breaks("context.task-steps-keep")
class StepsRunInACopy(Stock):
    """A task that a future wakes goes on in a copy of its context."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args and isinstance(args[0], asyncio.Future) and context is not None:
            context = context.copy()
        return super().call_soon(callback, *args, context=context)


@breaks("context.task-steps-keep")
class ExceptionsAreThrownIntoACopy(Stock):
    """A task whose future failed goes on in a copy of its context."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args and isinstance(args[0], asyncio.Future) and context is not None and args[0].done():
            failed = not args[0].cancelled() and isinstance(args[0].exception(), LookupError)
            context = context.copy() if failed else context
        return super().call_soon(callback, *args, context=context)


@breaks("context.task-cancelled")
class CancellationsAreThrownIntoACopy(Stock):
    """A task whose future was cancelled goes on in a copy of its context."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        if args and asyncio.isfuture(args[0]) and args[0].cancelled() and context is not None:
            context = context.copy()
        return super().call_soon(callback, *args, context=context)


@breaks("context.add-reader")
class ReadersHaveNoContext(Stock):
    """A reader is called in an empty context."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        return contextvars.Context().run(super().add_reader, fd, callback, *args)


@breaks("context.signal-handler")
class SignalHandlersHaveNoContext(Stock):
    """A signal handler is called in an empty context."""

    def add_signal_handler(self, sig: Any, callback: Any, *args: Any) -> Any:
        return contextvars.Context().run(super().add_signal_handler, sig, callback, *args)


@breaks("context.protocol-callbacks")
class ProtocolsHaveNoContext(Stock):
    """Protocols are called in an empty context."""

    async def create_connection(self, factory: Any, *args: Any, **kwargs: Any) -> Any:
        made = super().create_connection(factory, *args, **kwargs)
        return await self.create_task(made, context=contextvars.Context())


@breaks("context.exception-handler", since="3.12")
class TheExceptionHandlerHasNoContext(Stock):
    """The exception handler is called in the context in which it was set."""

    def set_exception_handler(self, handler: Any) -> None:
        context = contextvars.copy_context()
        super().set_exception_handler(handler and (lambda *args: context.run(handler, *args)))


@breaks("context.explicit")
class EmptyContextsAreNone(Stock):
    """An empty context is false, and so taken for none."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return super().call_at(when, callback, *args, context=context or None)

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(callback, *args, context=context or None)


@breaks("context.task-given")
class TasksInAnEmptyContextGetAnother(Stock):
    """An empty context is false, and so taken for none by create_task()."""

    def create_task(self, coro: Any, *, context: Any = None, **kwargs: Any) -> Any:
        return super().create_task(coro, context=context or None, **kwargs)


@breaks("context.exception-handler", since="3.12")
class DestroyedTasksHaveNoContext(Stock):
    """The exception handler is called in the current context if the context it gets has the key task."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        handler = self.get_exception_handler()
        if handler is not None and "task" in context:
            handler(self, context)
        else:
            super().call_exception_handler(context)


@breaks("context.exception-handler", since="3.12")
class ExceptionHandlersGetCopies(Stock):
    """The exception handler runs in a copy of the context of the task or handle."""

    def set_exception_handler(self, handler: Any) -> None:
        super().set_exception_handler(handler and (lambda *args: contextvars.copy_context().run(handler, *args)))


@breaks("context.explicit")
class ThePastHasNoContext(_Scheduling):
    """A context that is given to call_at() with a deadline that is over is ignored."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        if self.mine(callback) and when < self.time() - 1:
            context = None
        return super().call_at(when, callback, *args, context=context)
