"""Broken loops of the chapter `pipes`: what pipes do otherwise than connections."""

from __future__ import annotations

from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.pipes import TampersWithPipes
from tests.broken_loops.subprocess_transport import replaced


@breaks("pipes.pause-and-resume-inside")
class PausesPipesToTheEndOfTheCallback(TampersWithPipes):
    """resume_reading() of a pipe is forgotten in the callback that has paused it."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        fresh: list[None] = []

        def pause(pause_reading: Any) -> None:
            fresh.append(None)
            self.call_soon(fresh.clear)
            pause_reading()

        replaced(transport, "pause_reading", pause)
        replaced(transport, "resume_reading", lambda resume: None if fresh else resume())


@breaks("pipes.close-inside-eof-received")
class EndsClosedPipesAgain(TampersWithPipes):
    """A pipe that its protocol has closed inside eof_received() ends twice."""

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        def tell(eof_received: Any) -> None:
            eof_received()
            self.call_soon(protocol.connection_lost, None)

        replaced(protocol, "eof_received", tell)


@breaks("pipes.write-while-closing-is-quiet")
class ClosingPipesCannotBeWrittenTo(TampersWithPipes):
    """write() of a pipe raises after close(), while data is flushed."""

    def patch_writer(self, transport: Any, protocol: Any) -> None:
        def write(write: Any, data: Any) -> None:
            if transport.is_closing() and transport.get_write_buffer_size():
                raise RuntimeError("the transport is closing")
            write(data)

        replaced(transport, "write", write)


@breaks("pipes.stop-inside")
class DropsOfPipesWhenStopped(TampersWithPipes):
    """What came through a pipe is dropped if the loop was stopped in the same turn."""

    stopped = False

    def stop(self) -> None:
        self.stopped = True
        super().stop()
        self.call_soon(setattr, self, "stopped", False)

    def patch_reader(self, transport: Any, protocol: Any) -> None:
        replaced(protocol, "data_received", lambda receive, data: None if self.stopped else receive(data))
