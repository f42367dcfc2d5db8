"""call_later(delay): does the callback ever run before the delay is over?"""

import importlib
import sys
import time

module, _, factory = (sys.argv[1] if len(sys.argv) > 1 else "uvloop:new_event_loop").partition(":")
loop = getattr(importlib.import_module(module), factory)()


async def waited(delay: float) -> float:
    """How long it took, in seconds, by the clock of the system."""
    done = loop.create_future()
    began = time.monotonic()
    loop.call_later(delay, lambda: done.set_result(time.monotonic() - began))
    seconds: float = await done
    return seconds


async def main() -> list[float]:
    delays = [0.001 + 0.00001 * number for number in range(300)]
    return [await waited(delay) - delay for delay in delays]


late = loop.run_until_complete(main())
early = [seconds for seconds in late if seconds < -1e-6]  # a microsecond, for clocks that are rounded
print(
    f"{len(early)} of {len(late)} timers ran early, by up to {-min(late) * 1000:.2f} ms" if early else "none ran early"
)
sys.exit(bool(early))
