"""A complete asyncio event loop in plain Python, written to be read.

Reading order: loop, timers, poller, waker, callbacks, sockets, streams, servers, tls.
"""

from __future__ import annotations

from .loop import EventLoop, new_event_loop

__all__ = ["EventLoop", "new_event_loop"]
