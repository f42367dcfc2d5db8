"""Right loops that answer later than they could."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from reference_loop import EventLoop
from tests.right_loops.registry import right

_TURNS = 5
_PAIRS = (
    "create_connection",
    "create_unix_connection",
    "connect_accepted_socket",
    "create_datagram_endpoint",
    "connect_read_pipe",
    "connect_write_pipe",
    "subprocess_exec",
    "subprocess_shell",
)
_SERVERS = ("create_server", "create_unix_server")
_OTHERS = ("getaddrinfo", "getnameinfo", "sock_connect", "sock_sendall", "sock_sendto", "sendfile", "sock_sendfile",
           "shutdown_asyncgens", "shutdown_default_executor")  # fmt: skip


@right
class AnswersLater(EventLoop):
    """What opens, sends, connects or looks up returns five turns after it is done."""


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _end_pair(pair: Any) -> None:
    transport = pair[0]
    getattr(transport, "abort", transport.close)()


def _later(method: Callable[..., Any], undo: Callable[[Any], object]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def answer(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = await method(self, *args, **kwargs)
        try:
            await _turns()
        except asyncio.CancelledError:
            undo(found)
            raise
        return found

    return answer


for _names, _undo in ((_PAIRS, _end_pair), (_SERVERS, lambda server: server.close()), (_OTHERS, lambda _: None)):
    for _name in _names:
        setattr(AnswersLater, _name, _later(getattr(EventLoop, _name), _undo))
