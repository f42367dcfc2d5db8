"""A program as Python source: what is run is what a failure prints.

The text needs nothing but the standard library. Each callback and each task is a function with a name of its own,
and the trace is the list of what these functions said, in the order in which the loop ran them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from textwrap import indent

from conformance.schedules.programs import (
    FUTURES,
    Action,
    At,
    Await,
    Cancel,
    CancelFuture,
    CancelTask,
    Do,
    FromThread,
    Handled,
    Later,
    OnDone,
    Pass,
    Program,
    Resolve,
    Scheduling,
    Shield,
    Sleep,
    Soon,
    Spawn,
    Step,
    Stop,
    TimeOut,
)

_PRELUDE = '''\
import asyncio
import math
import threading
import time

SLOT = 0.002  # seconds between two deadlines
RESOLUTION = max(time.get_clock_info("monotonic").resolution, 1e-6)


class Run:
    """One run of the program: its trace, and what it has made so far."""

    def __init__(self, loop):
        self.loop, self.trace, self.waiting = loop, [], set()
        self.handles, self.tasks, self.stopped, self.early, self.overdue = {}, {}, False, [], set()
        self.futures = [loop.create_future() for _ in range(FUTURES)]
        self.start = self.horizon = loop.time()

    def saw(self, event, name=None, not_before=-math.inf):
        self.waiting.discard(name)
        self.trace.append(event)
        early = not_before - self.loop.time()
        if early > RESOLUTION:
            self.early.append((event, early))

    def timer(self, name, deadline):
        self.waiting.add(name)
        self.horizon = max(self.horizon, deadline)
        return deadline

    def at(self, name, slot, callback):
        deadline = self.timer(name, self.start + slot * SLOT)
        self.handles[name] = self.loop.call_at(deadline, callback)
        if deadline <= self.loop.time():
            self.overdue.add(name)

    def cancel(self, name):
        if name in self.handles:
            self.handles[name].cancel()
            self.waiting.discard(name)

    def cancel_task(self, name):
        if name in self.tasks:
            self.tasks[name].cancel()

    def resolve(self, number):
        if not self.futures[number].done():
            self.futures[number].set_result(None)

    def from_thread(self, name, callback):
        def call():
            self.handles[name] = self.loop.call_soon_threadsafe(callback)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    def stop(self):
        self.stopped = True
        self.loop.stop()

    def drive(self):
        """Run the loop, and run it again after each stop(), until nothing happens any more."""
        quiet = 0
        while quiet < 5 or (self.waiting and self.loop.time() < self.horizon + 1):
            before = len(self.trace)
            guard = self.loop.call_at(max(self.horizon + SLOT, self.loop.time()), self.loop.stop)
            self.loop.run_forever()
            guard.cancel()
            if self.stopped:
                self.stopped = False
                self.trace.append("run_forever() returned")
            quiet = quiet + 1 if len(self.trace) == before else 0
        grain = self.early and self.grain()
        self.trace += [f"{event} came too early" for event, early in self.early if early > grain + RESOLUTION]

    def grain(self):
        """Seconds between two readings of the loop's clock that differ: what is due within them may run."""
        steps, deadline = [], time.monotonic() + 0.1
        before = self.loop.time()
        while len(steps) < 3 and time.monotonic() < deadline:
            after = self.loop.time()
            if after != before:
                steps.append(after - before)
            before = after
        return max(steps, default=0.0)
'''.replace("range(FUTURES)", f"range({FUTURES})")

_DRIVER = """
if __name__ == "__main__":
    import {module}

    loop = {module}.{factory}()
    print(*program(loop), sep="\\n")
    loop.close()
"""


def source_of(program: Program) -> str:
    """The module's text. It defines `program(loop)`, which returns the trace."""
    return f"{_PRELUDE}\n\n{_Writer(program).function()}"


def script_of(program: Program, module: str, factory: str) -> str:
    """The same as a script that runs it on the loop that `module:factory` makes."""
    return source_of(program) + "\n" + _DRIVER.format(module=module, factory=factory)


class _Writer:
    """Names callbacks c1…, done callbacks d1… and tasks t1…, and writes a function for each."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._handles = sum(isinstance(action, Handled) for action in _all(program.actions))
        self._tasks = sum(isinstance(action, Spawn) for action in _all(program.actions))
        self._functions: list[str] = []
        self._numbers = {"c": itertools.count(1), "d": itertools.count(1), "t": itertools.count(1)}

    def function(self) -> str:
        """The definition of `program`."""
        body = [line for action in self._program.actions for line in self._action(action)]
        lines = ["def program(loop, drive=Run.drive):"]
        if self._program.eager:
            lines.append("    loop.set_task_factory(asyncio.eager_task_factory)")
        lines += ["    run = Run(loop)", ""]
        lines += [indent(function, "    ") for function in self._functions]
        lines += [f"    {line}" for line in body]
        lines += ["    drive(run)", "    trace = list(run.trace)"]
        if self._tasks:
            lines += [
                "    while not all(task.done() for task in run.tasks.values()):",
                "        for task in run.tasks.values():",
                "            task.cancel()",
                "        drive(run)",
            ]
        return "\n".join([*lines, "    return trace", ""])

    def _action(self, action: Action) -> Iterator[str]:
        match action:
            case Soon() | At() | Later() | FromThread():
                name = self._name("c")
                yield from self._schedule(action, name)
                self._callback(name, action)
            case OnDone(future):
                name = self._name("d")
                yield f"run.futures[{future}].add_done_callback({name})"
                self._callback(name, action)
            case Cancel(handle):
                if self._handles:
                    yield f'run.cancel("c{handle % self._handles + 1}")'
            case Resolve(future):
                yield f"run.resolve({future})"
            case CancelFuture(future):
                yield f"run.futures[{future}].cancel()"
            case Stop():
                yield "run.stop()"
            case Spawn(steps):
                name = self._name("t")
                yield f'run.tasks["{name}"] = loop.create_task({name}())'
                self._coroutine(name, steps)
            case CancelTask(task):
                if self._tasks:
                    yield f'run.cancel_task("t{task % self._tasks + 1}")'

    def _schedule(self, action: Handled, name: str) -> Iterator[str]:
        match action:
            case Soon():
                yield f'run.handles["{name}"] = loop.call_soon({name})'
            case At(slot):
                yield f'run.at("{name}", {slot}, {name})'
            case Later(slot):
                yield f'run.timer("{name}", loop.time() + {slot} * SLOT)'
                yield f'run.handles["{name}"] = loop.call_later({slot} * SLOT, {name})'
            case FromThread():
                yield f'run.from_thread("{name}", {name})'

    def _callback(self, name: str, action: Scheduling) -> None:
        argument = "future" if isinstance(action, OnDone) else ""
        deadline = f", run.start + {action.slot} * SLOT" if isinstance(action, At) else ""
        lines = [f"def {name}({argument}):", f'    run.saw("{name}", "{name}"{deadline})']
        lines += [f"    {line}" for each in action.body for line in self._action(each)]
        self._functions.append("\n".join(lines) + "\n")

    def _coroutine(self, name: str, steps: tuple[Step, ...]) -> None:
        lines = [f"async def {name}():", f'    run.saw("{name} starts")']
        for number, step in enumerate(steps, 1):
            text = self._action(step.action) if isinstance(step, Do) else self._await(f"{name}.{number}", step)
            lines += [f"    {line}" for line in text]
        self._functions.append("\n".join(lines) + "\n")

    def _await(self, name: str, step: Pass | Await | Shield | Sleep | TimeOut) -> Iterator[str]:
        awaited, ends, deadline = "", "resumes", ""
        match step:
            case Pass():
                awaited = "await asyncio.sleep(0)"
            case Await(future):
                awaited = f"await run.futures[{future}]"
            case Shield(future):
                awaited = f"await asyncio.shield(run.futures[{future}])"
            case Sleep(slot):
                yield f'deadline = run.timer("{name}", loop.time() + {slot} * SLOT)'
                awaited, deadline = f"await asyncio.sleep({slot} * SLOT)", ", deadline"
            case TimeOut(slot):
                yield f'deadline = run.timer("{name}", run.start + {slot} * SLOT)'
                yield "try:"
                yield "    async with asyncio.timeout_at(deadline):"
                yield "        await loop.create_future()"
                yield "except TimeoutError:"
                ends, deadline = "times out", ", deadline"
        if awaited:
            yield "try:"
            yield f"    {awaited}"
        if isinstance(step, TimeOut):
            yield f'    run.saw("{name} {ends}", "{name}"{deadline})'
        yield "except asyncio.CancelledError:"
        yield f'    run.saw("{name} is cancelled", "{name}")'
        if not step.swallow:
            yield "    raise"
        if awaited:
            yield "else:"
            yield f'    run.saw("{name} {ends}", "{name}"{deadline})'

    def _name(self, kind: str) -> str:
        return f"{kind}{next(self._numbers[kind])}"


def _all(actions: Iterable[Action]) -> Iterator[Action]:
    """Every action of a program, with those of its callbacks and tasks."""
    for action in actions:
        yield action
        if isinstance(action, Scheduling):
            yield from _all(action.body)
        elif isinstance(action, Spawn):
            yield from _all(step.action for step in action.steps if isinstance(step, Do))
