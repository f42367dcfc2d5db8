"""Chapter debug: coroutines that know where they were made."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from conformance.kit.cases import each
from conformance.kit.patience import turn
from conformance.kit.protocols import raising
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("debug.origin", MUST, cite="asyncio-dev: Detect never-awaited coroutines")
def test_coroutines_know_where_they_were_made(loop: Loop) -> None:
    """While a loop in debug mode runs, coroutines that are never awaited can tell where they were made.

    If this fails: look for sys.set_coroutine_origin_tracking_depth(), to be called whenever the loop starts.
    """

    async def child() -> None:
        pass

    async def main() -> object:
        coro: Any = child()
        origin = coro.cr_origin
        coro.close()
        return origin

    loop.set_debug(True)
    assert loop.run_until_complete(main())
    assert loop.run_until_complete(main())


@requirement("debug.origin-while-running", SHOULD, cite="asyncio-dev: Debug Mode")
@each("setter", ["the loop", "another thread"])
def test_coroutines_are_tracked_once_debug_mode_is_set(loop: Loop, setter: str) -> None:
    """If debug mode is set while the loop runs, coroutines that are made later can tell where they were made.

    If this fails: look for a mode that the loop looks at only when it starts, or for a depth that is set in the thread
    that calls set_debug().
    """

    async def child() -> None:
        pass

    def set_debug() -> int:
        loop.set_debug(True)
        return sys.get_coroutine_origin_tracking_depth()

    async def main() -> object:
        if setter == "another thread":
            assert in_thread(set_debug).result() == 0
        else:
            set_debug()
        await turns(3)
        coro: Any = child()
        origin = coro.cr_origin
        coro.close()
        return origin

    loop.set_debug(False)
    assert loop.run_until_complete(main())


@requirement("debug.origin-restored", SHOULD, cite="asyncio-dev: Detect never-awaited coroutines")
@pytest.mark.parametrize("before", [0, 3])
def test_origin_tracking_ends_with_the_run(loop: Loop, before: int) -> None:
    """When the loop stops, however it does, or debug mode ends while it runs, coroutines are tracked as before.

    If this fails: look for a depth that is set and never given back, or on one of the ways out only, or that is given
    back only when the run is over, although debug mode is off already.
    """

    async def switch_off() -> None:
        loop.set_debug(False)
        await turns(5)
        assert sys.get_coroutine_origin_tracking_depth() == before

    usual = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(before)
    try:
        loop.set_debug(True)
        turn(loop)
        assert sys.get_coroutine_origin_tracking_depth() == before
        loop.run_until_complete(asyncio.sleep(0))
        assert sys.get_coroutine_origin_tracking_depth() == before
        loop.call_soon(raising(SystemExit()))
        with pytest.raises(SystemExit):
            loop.run_forever()
        assert sys.get_coroutine_origin_tracking_depth() == before
        loop.run_until_complete(switch_off())
        assert sys.get_coroutine_origin_tracking_depth() == before
    finally:
        sys.set_coroutine_origin_tracking_depth(usual)
