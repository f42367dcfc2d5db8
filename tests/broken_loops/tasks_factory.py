"""Broken loops of the chapter `tasks`: setting the task factory, and what 3.14 adds."""

from __future__ import annotations

import asyncio
import operator
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.tasks import OwnFactory, Stock, Task, of_chapter


@breaks("tasks.factory-default")
class TheDefaultFactoryIsAnObject(Stock):
    """get_task_factory() returns a function if the default factory was never replaced."""

    was_set = False

    def set_task_factory(self, factory: Any) -> None:
        self.was_set = True
        super().set_task_factory(factory)

    def get_task_factory(self) -> Any:
        if self.was_set or self.is_running():
            return super().get_task_factory()
        return lambda loop, coro: asyncio.Task(coro, loop=loop)


@breaks("tasks.get-factory")
class FactoriesAreWrapped(Stock):
    """get_task_factory() returns a wrapper of the factory."""

    def set_task_factory(self, factory: Any) -> None:
        if factory is None or not callable(factory):
            super().set_task_factory(factory)
        else:
            super().set_task_factory(lambda *args, **kwargs: factory(*args, **kwargs))


@breaks("tasks.factory-reset")
class NoneLeavesTheFactory(Stock):
    """set_task_factory(None) leaves the factory as it is."""

    def set_task_factory(self, factory: Any) -> None:
        if factory is not None:
            super().set_task_factory(factory)


@breaks("tasks.factory-replaced")
class FactoriesAreSetOnce(Stock):
    """A factory that was used once is not replaced by another one."""

    def set_task_factory(self, factory: Any) -> None:
        if factory is None or self.get_task_factory() is None:
            super().set_task_factory(factory)


@breaks("tasks.factory-callable")
class FactoriesAreNotChecked(OwnFactory):
    """set_task_factory() takes any object."""


@breaks("tasks.factory-callable")
class WhatIsFalseIsNoFactory(Stock):
    """set_task_factory() takes what is false, and not callable, for None."""

    def set_task_factory(self, factory: Any) -> None:
        super().set_task_factory(factory if factory or callable(factory) else None)


@breaks("tasks.factory-per-loop")
class OneFactoryForAllLoops(OwnFactory):
    """The task factory is shared by all loops of the process."""

    shared: Any = None

    @property
    def factory(self) -> Any:
        return type(self).shared

    @factory.setter
    def factory(self, factory: Any) -> None:
        type(self).shared = factory


@breaks("tasks.factory-everywhere")
class RunUntilCompleteNeedsNoFactory(Stock):
    """run_until_complete() makes its task past the task factory."""

    def run_until_complete(self, future: Any) -> Any:
        if asyncio.iscoroutine(future) and self.get_task_factory() and of_chapter(future):
            future = asyncio.Task(future, loop=self)
        return super().run_until_complete(future)


@breaks("tasks.factory-error")
class ErrorsOfTheFactoryAreDropped(Stock):
    """If the task factory raises, create_task() makes the task itself."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        try:
            return super().create_task(coro, **kwargs)
        except LookupError:
            return Task(coro, loop=self)


@breaks("tasks.factory-keywords", since="3.14")
class KeywordsAreNamed(Stock):
    """create_task() takes the keyword arguments that it knows and no others."""

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, eager_start: Any = None) -> Any:
        given = {"name": name, "context": context, "eager_start": eager_start}
        return super().create_task(coro, **{key: value for key, value in given.items() if value is not None})


@breaks("tasks.eager-start", since="3.14")
class EagerStartIsForgotten(Stock):
    """create_task() takes eager_start and starts the task later all the same."""

    def create_task(self, coro: Any, *, eager_start: Any = None, **kwargs: Any) -> Any:
        return super().create_task(coro, **kwargs)


@breaks("tasks.get-factory")
class ForgetsFalseFactories(Stock):
    """A task factory that is false is taken for None."""

    def set_task_factory(self, factory: Any) -> None:
        super().set_task_factory(factory or None)


@breaks("tasks.factory-reset")
class KeepsItsFactoryWhileRunning(Stock):
    """set_task_factory(None) has no effect while the loop runs."""

    def set_task_factory(self, factory: Any) -> None:
        if factory is not None or not self.is_running():
            super().set_task_factory(factory)


@breaks("tasks.factory-signature", until="3.12")
class NamesGoToTheFactory(Stock):
    """The name goes to the task factory, as a keyword argument."""

    def create_task(self, coro: Any, *, name: Any = None, **kwargs: Any) -> Any:
        factory = self.get_task_factory()
        if factory is None or name is None:
            return super().create_task(coro, name=name, **kwargs)
        return factory(self, coro, name=name, **kwargs)


class _MakesAnother(Stock):
    """Tasks of a factory are replaced if `unfit` says so."""

    @staticmethod
    def unfit(task: Any) -> bool:
        raise NotImplementedError

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        task = super().create_task(coro, **kwargs)
        if self.get_task_factory() and self.unfit(task):
            return asyncio.Task(asyncio.sleep(0), loop=self)
        return task


@breaks("tasks.factory-result")
class DoneTasksOfFactoriesAreReplaced(_MakesAnother):
    """A future of the factory that is done already is replaced by a task."""

    unfit = staticmethod(asyncio.Future.done)


@breaks("tasks.factory-result")
class FalseTasksOfFactoriesAreReplaced(_MakesAnother):
    """A task of the factory whose truth value is false is replaced by another."""

    unfit = staticmethod(operator.not_)


@breaks("tasks.factory")
class CallbacksAskNoFactory(Stock):
    """The factory is not asked where no task is current while the loop runs."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        if self.is_running() and asyncio.current_task() is None and self.get_task_factory():
            return asyncio.Task(coro, loop=self, **kwargs)
        return super().create_task(coro, **kwargs)


@breaks("tasks.factory-replaced")
class FactoriesAreUsedFromTheNextRunOn(Stock):
    """A factory that is set while the loop runs is used when it runs again."""

    waiting: tuple[Any, ...] = ()

    def set_task_factory(self, factory: Any) -> None:
        if self.is_running():
            self.waiting = (factory,)
        else:
            super().set_task_factory(factory)

    def run_forever(self) -> None:
        super().run_forever()
        if self.waiting:
            super().set_task_factory(*self.waiting)
            self.waiting = ()


@breaks("tasks.eager-start-later", since="3.14")
class PassesOnWhatIsTrue(Stock):
    """A keyword argument of create_task() that is false is not passed on to the task factory."""

    def create_task(self, coro: Any, **kwargs: Any) -> Any:
        return super().create_task(coro, **{name: value for name, value in kwargs.items() if value})
