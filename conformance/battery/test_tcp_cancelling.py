"""Chapter tcp: a connection whose making is cancelled, whichever way it is made."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from conformance.environment import need_named
from conformance.kit.cases import each
from conformance.kit.patience import Patience
from conformance.kit.peers import PEER_TIMEOUT, drive, listener, receive_all, socket_path, tcp_pair, unix_listener
from conformance.kit.protocols import Events
from conformance.kit.threads import in_thread
from conformance.kit.waiting import turns
from conformance.requirement import MUST, requirement

Loop = asyncio.AbstractEventLoop
ACCEPTED = "asyncio-eventloop: loop.connect_accepted_socket"
UNIX = ("unix",) if need_named("unix").present() else ()


@requirement("tcp.cancelled-while-made", MUST, cite=("asyncio-task: Task.cancel", ACCEPTED))
@each("way", ["host", "sock", "accepted", *UNIX])
@each("after", [1, 2, 3])
def test_a_connection_whose_making_is_cancelled_is_closed(loop: Loop, patience: Patience, way: str, after: int) -> None:
    """A connection whose making is cancelled on the way is closed: its peer sees the end, and its protocol, too.

    If this fails: look for work that goes on in a task of its own, or for a transport that nobody was given.
    """
    protocol = Events()

    def names(name: str) -> int:
        return protocol.names.count(name)

    async def cancel(making: Any) -> None:
        task = asyncio.ensure_future(making)
        await turns(after)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()[0].close()
        await turns(10)

    with contextlib.ExitStack() as stack:
        if way in ("sock", "accepted"):
            ours, peer = stack.enter_context(tcp_pair())
            how = loop.create_connection if way == "sock" else loop.connect_accepted_socket
            loop.run_until_complete(cancel(how(lambda: protocol, sock=ours)))
            if not protocol.names:
                ours.close()  # the caller's as long as there is no transport
        else:
            if way == "host":
                listening = stack.enter_context(listener())
                making: Any = loop.create_connection(lambda: protocol, *listening.getsockname())
            else:
                listening = stack.enter_context(unix_listener(stack.enter_context(socket_path())))
                making = loop.create_unix_connection(lambda: protocol, listening.getsockname())
            loop.run_until_complete(cancel(making))
            listening.setblocking(False)
            try:
                peer = stack.enter_context(listening.accept()[0])
            except BlockingIOError:
                return  # it had not got as far
            peer.settimeout(PEER_TIMEOUT)
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b""
        patience.run_until(loop, lambda: names("connection_lost") == names("connection_made"), "connection_lost()")
