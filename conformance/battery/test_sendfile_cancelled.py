"""Chapter sendfile: what a cancelled loop.sendfile() leaves behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conformance.battery.test_sendfile import KINDS, LARGE, connected, source
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all
from conformance.kit.threads import in_thread
from conformance.kit.waiting import assert_waits
from conformance.requirement import SHOULD, requirement

Loop = asyncio.AbstractEventLoop


@requirement("sendfile.cancelled", SHOULD, cite=("asyncio-task: Task Cancellation", "gh-157025"))
@KINDS
def test_a_cancelled_sendfile_gives_the_transport_back(
    loop: Loop, patience: Patience, tmp_path: Path, kind: str
) -> None:
    """sendfile() that is cancelled gives the transport back: its protocol receives, and it writes, as before.

    If this fails: look for what is undone only when the file was sent: reading that was paused, writes that are refused
    meanwhile, a protocol that stands in for the real one.
    """
    with connected(loop) as (transport, protocol, peer), source(kind, tmp_path, LARGE) as file:
        sending = loop.create_task(loop.sendfile(transport, file))
        turn(loop, 5)
        assert_waits(sending)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(sending)
        peer.sendall(b"stop")
        patience.run_until(loop, lambda: protocol.received == b"stop", "data_received()")
        assert transport.get_protocol() is protocol
        transport.write(b"stopped")
        transport.close()
        sent = drive(loop, patience, in_thread(lambda: receive_all(peer)))
        assert sent.endswith(b"stopped")
        assert LARGE.startswith(sent[: -len(b"stopped")])
