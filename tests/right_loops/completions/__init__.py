"""A right loop over completions: another thread makes the system calls, and the loop is told what came of them.

As a loop over io_uring or IOCP would: nothing is done inside write() or in the turn that asks for it, data comes
before the protocol wants it, and a watched descriptor is served some turns after it is ready. What has no input or
output is asyncio's.
"""

from __future__ import annotations

from tests.right_loops.completions.loop import Completions, LateCompletions, SmallCompletions

__all__ = ["Completions", "LateCompletions", "SmallCompletions"]
