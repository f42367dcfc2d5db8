"""Broken loops of the chapter `udp`: endpoints that give up what waits, or go on reading until it is sent."""

from __future__ import annotations

from typing import Any

from reference_loop.datagrams import DatagramTransport
from tests.broken_loops import breaks
from tests.broken_loops.over_streams import KnowsWhatItTells
from tests.broken_loops.udp_sending import OverDatagrams


@breaks("udp.error-among-buffered")
class OneErrorForAll(OverDatagrams):
    """What waits behind a datagram that cannot be sent is dropped."""

    class Endpoint(DatagramTransport):
        def _tell_error(self, error: OSError) -> None:
            super()._tell_error(error)
            self._drop_buffer()


@breaks("udp.write-buffer-size")
class HeadersOfErrorsStay(OverDatagrams):
    """The header of a datagram that cannot be sent is counted for ever."""

    class Endpoint(DatagramTransport):
        def _tell_error(self, error: OSError) -> None:
            self._buffer_size += 8
            super()._tell_error(error)


@breaks("udp.close-flushes-errors")
class ErrorsEndWhatCloses(OverDatagrams):
    """connection_lost() of an endpoint that is closing gets the error of a datagram that could not be sent."""

    class Endpoint(DatagramTransport):
        def _tell_error(self, error: OSError) -> None:
            super()._tell_error(error)
            if self._closing:
                self._force_close(error)


@breaks("udp.close-receives-nothing")
class ReadsUntilAllIsSent(OverDatagrams):
    """A closing endpoint that has something to send receives until it is sent."""

    class Endpoint(DatagramTransport):
        def close(self) -> None:
            if self._buffer:
                self._closing = True
            else:
                super().close()

        def _call_connection_lost(self, exc: Any) -> None:
            self._stop_reading()
            super()._call_connection_lost(exc)


@breaks("udp.resume-after-errors")
class ErrorsResumeNobody(OverDatagrams):
    """A protocol whose datagrams could not be sent is not told to go on."""

    class Endpoint(DatagramTransport):
        def _tell_error(self, error: OSError) -> None:
            super()._tell_error(error)
            self._flow.paused = False


@breaks("udp.resume-at-low")
class ResumesAtOnce(OverDatagrams):
    """resume_writing() of an endpoint is called when the first of the datagrams that wait are sent."""

    class Endpoint(DatagramTransport):
        def _buffer_shrank(self) -> None:
            if self._flow.paused:
                self._flow.paused = False
                self._tell("resume_writing")


@breaks("udp.end-inside-pause")
class CannotEndWhereItPauses(OverDatagrams):
    """abort() inside pause_writing() of an endpoint does nothing."""

    class Endpoint(KnowsWhatItTells, DatagramTransport):
        def abort(self) -> None:
            if not self.telling:
                super().abort()


@breaks("udp.abort-drops")
class FlushesWhatIsAbortedInside(OverDatagrams):
    """abort() inside datagram_received() of an endpoint is a close(), which waits for room."""

    class Endpoint(DatagramTransport):
        delivering = False

        def _read_ready(self) -> None:
            self.delivering = True
            super()._read_ready()
            self.delivering = False

        def abort(self) -> None:
            if self.delivering:
                self.close()
            else:
                super().abort()


@breaks("udp.set-protocol")
class ForgetsItsListenerAtClose(OverDatagrams):
    """get_protocol() of an endpoint that is closing returns None."""

    class Endpoint(DatagramTransport):
        def get_protocol(self) -> Any:
            return None if self._closing else super().get_protocol()


@breaks("udp.pause-writing")
class PausesTwice(OverDatagrams):
    """pause_writing() of an endpoint is called twice, and never again."""

    class Endpoint(DatagramTransport):
        pauses = 0

        def _tell(self, method: str) -> None:
            self.pauses += method == "pause_writing"
            if method != "pause_writing" or self.pauses < 3:
                super()._tell(method)


@breaks("udp.end-inside-resume")
class DropsWhatWaitsWhereItResumes(OverDatagrams):
    """close() inside resume_writing() of an endpoint drops what is left."""

    class Endpoint(DatagramTransport):
        resuming = False

        def _tell(self, method: str) -> None:
            self.resuming = method == "resume_writing"
            super()._tell(method)
            self.resuming = False

        def close(self) -> None:
            if self.resuming:
                self._force_close(None)
            else:
                super().close()


@breaks("udp.resume-at-low")
class EndpointsResumeBelowTheMark(OverDatagrams):
    """The protocol of an endpoint is resumed when less is buffered than the low watermark."""

    class Endpoint(DatagramTransport):
        def _buffer_shrank(self) -> None:
            if self._buffer_size < self._flow.low or not self._buffer_size:
                super()._buffer_shrank()


class _MuteWhenTold(KnowsWhatItTells, DatagramTransport):
    where = ""

    def sendto(self, data: Any, addr: Any = None) -> None:
        if self.telling != self.where:
            super().sendto(data, addr)


@breaks("udp.sendto-inside-flow")
class EndpointsAreMuteWhenPaused(OverDatagrams):
    """What is sent inside pause_writing() of an endpoint is lost."""

    class Endpoint(_MuteWhenTold):
        where = "pause_writing"


@breaks("udp.sendto-inside-flow")
class EndpointsAreMuteWhenResumed(OverDatagrams):
    """What is sent inside resume_writing() of an endpoint is lost."""

    class Endpoint(_MuteWhenTold):
        where = "resume_writing"


@breaks("udp.receives-while-blocked")
class EndpointsDoOneAtATime(OverDatagrams):
    """An endpoint reads nothing while datagrams wait to be sent."""

    class Endpoint(DatagramTransport):
        def _start_writing(self) -> None:
            self._stop_reading()
            super()._start_writing()

        def _stop_writing(self) -> None:
            super()._stop_writing()
            self._start_reading()


class _KnowsErrors(DatagramTransport):
    """Knows whether error_received() is being called for a datagram that waited."""

    telling = False

    def _tell_error(self, error: OSError) -> None:
        self.telling = True
        super()._tell_error(error)
        self.telling = False


@breaks("udp.sendto-inside-error-of-buffered")
class DropsInsideErrorsOfBuffered(OverDatagrams):
    """What is sent inside error_received() of a datagram that waited is dropped."""

    class Endpoint(_KnowsErrors):
        def sendto(self, data: Any, addr: Any = None) -> None:
            if not self.telling:
                super().sendto(data, addr)


@breaks("udp.sendto-order")
class OvertakesInsideErrorsOfBuffered(OverDatagrams):
    """What is sent inside error_received() of a datagram that waited is sent before those that wait still."""

    class Endpoint(_KnowsErrors):
        def sendto(self, data: Any, addr: Any = None) -> None:
            super().sendto(data, addr)
            if self.telling and self._buffer:
                self._buffer.rotate(1)
