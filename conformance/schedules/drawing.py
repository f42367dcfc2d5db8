"""How programs are drawn: of the kinds of action and of step that a requirement speaks of.

Drawn by hand and not by nested strategies: those took 85 % of a run's time, and each program is small enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from conformance.schedules import programs as p

_T = TypeVar("_T")
_SLOT = st.integers(1, 3)
_FUTURE = st.integers(0, p.FUTURES - 1)
_ANY = st.integers(0, 5)
_MORE = st.booleans()
_DEPTH = 2
_AT_FIRST = st.integers(1, 6)
_IN_A_CALLBACK = st.integers(0, 3)
_IN_A_TASK = st.integers(1, 3)

_ACTIONS: dict[type, Callable[[_Drawer, int], p.Action]] = {
    p.Soon: lambda draw, depth: p.Soon(draw.body(depth)),
    p.At: lambda draw, depth: p.At(draw(_SLOT), draw.body(depth)),
    p.Later: lambda draw, depth: p.Later(draw(_SLOT), draw.body(depth)),
    p.FromThread: lambda draw, depth: p.FromThread(draw.body(depth)),
    p.OnDone: lambda draw, depth: p.OnDone(draw(_FUTURE), draw.body(depth)),
    p.Cancel: lambda draw, _: p.Cancel(draw(_ANY)),
    p.Resolve: lambda draw, _: p.Resolve(draw(_FUTURE)),
    p.CancelFuture: lambda draw, _: p.CancelFuture(draw(_FUTURE)),
    p.Stop: lambda _draw, _: p.Stop(),
    p.CancelTask: lambda draw, _: p.CancelTask(draw(_ANY)),
    p.Spawn: lambda draw, depth: p.Spawn(draw.steps(depth)),
}
_STEPS: dict[type, Callable[[_Drawer, int], p.Step]] = {
    p.Do: lambda draw, depth: p.Do(draw.action(depth)),
    p.Pass: lambda draw, _: p.Pass(draw(_MORE)),
    p.Await: lambda draw, _: p.Await(draw(_FUTURE), draw(_MORE)),
    p.Shield: lambda draw, _: p.Shield(draw(_FUTURE), draw(_MORE)),
    p.Sleep: lambda draw, _: p.Sleep(draw(_SLOT), draw(_MORE)),
    p.TimeOut: lambda draw, _: p.TimeOut(draw(_SLOT), draw(_MORE)),
}


@st.composite
def programs_of(draw: st.DrawFn, *kinds: type, eager: bool = False) -> p.Program:
    """Programs of these kinds of action and of step; where there are steps, there are tasks."""
    return p.Program(_Drawer(draw, kinds).body(_DEPTH + 1, _AT_FIRST), eager)


class _Drawer:
    """Draws one program, from the outside in."""

    def __init__(self, draw: st.DrawFn, kinds: tuple[type, ...]) -> None:
        self._draw = draw
        steps = [kind for kind in kinds if kind in _STEPS]
        self._actions = st.sampled_from([kind for kind in kinds if kind in _ACTIONS] + ([p.Spawn] if steps else []))
        self._steps = st.sampled_from([*steps, p.Do])

    def __call__(self, strategy: st.SearchStrategy[_T]) -> _T:
        return self._draw(strategy)

    def body(self, depth: int, count: st.SearchStrategy[int] = _IN_A_CALLBACK) -> tuple[p.Action, ...]:
        """The actions of a callback; none where the tree may grow no deeper."""
        return tuple(self.action(depth - 1) for _ in range(self._draw(count))) if depth else ()

    def action(self, depth: int) -> p.Action:
        kind = self._draw(self._actions)
        return _ACTIONS[kind](self, depth)

    def steps(self, depth: int) -> tuple[p.Step, ...]:
        """The steps of a task; passes where the tree may grow no deeper, for a task in a task would make it grow."""
        kinds = [self._draw(self._steps) for _ in range(self._draw(_IN_A_TASK))]
        return tuple(_STEPS[kind](self, depth - 1) if depth or kind is not p.Do else p.Pass() for kind in kinds)
