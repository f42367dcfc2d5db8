"""Broken loops of the chapter `errors`: reports that lack what each report has."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop
Context = dict[str, Any]


class _Lacks(Stock):
    """Reports without what `drop` takes away."""

    @staticmethod
    def drop(context: Context) -> object:
        raise NotImplementedError

    def call_exception_handler(self, context: Context) -> None:
        context = dict(context)
        self.drop(context)
        super().call_exception_handler(context)


@breaks("errors.message")
class LostExceptionsHaveNoMessage(_Lacks):
    """The report of an exception that nobody retrieved has no message."""

    @staticmethod
    def drop(context: Context) -> object:
        return "future" in context and context.pop("message")


@breaks("errors.message")
class DestroyedTasksHaveNoMessage(_Lacks):
    """The report of a task that was destroyed while it was pending has no message."""

    @staticmethod
    def drop(context: Context) -> object:
        return "task" in context and context.pop("message")


@breaks("errors.message")
class GeneratorsHaveNoMessage(_Lacks):
    """The report of a generator that cannot be closed has None as its message."""

    @staticmethod
    def drop(context: Context) -> object:
        return "asyncgen" in context and context.update(message=None)


@breaks("errors.message")
class ProtocolsHaveNoMessage(_Lacks):
    """The report of what a protocol raises has an empty message."""

    @staticmethod
    def drop(context: Context) -> object:
        return "protocol" in context and context.update(message="")


@breaks("errors.task-never-retrieved-future")
class LostExceptionsOfTasksHaveNoTask(_Lacks):
    """The report of an exception of a task that nobody retrieved lacks the task."""

    @staticmethod
    def drop(context: Context) -> object:
        return isinstance(context.get("future"), asyncio.Task) and context.pop("future")
