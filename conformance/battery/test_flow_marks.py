"""Chapter flow: set_write_buffer_limits(), get_write_buffer_limits() and get_write_buffer_size()."""

from __future__ import annotations

import array
import asyncio
from collections.abc import Callable
from typing import Any

from conformance.kit.blocked import KINDS, SOCKETS, blocked
from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.protocols import Events, Reacts
from conformance.kit.refusals import refused
from conformance.requirement import MAY, MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop
SET = "asyncio-protocol: WriteTransport.set_write_buffer_limits"
GET = "asyncio-protocol: WriteTransport.get_write_buffer_limits"
SIZE = "asyncio-protocol: WriteTransport.get_write_buffer_size"
PAUSE = "asyncio-protocol: BaseProtocol.pause_writing"

kinds = each("kind", KINDS)
sockets = each("kind", SOCKETS)


@requirement("flow.limits", MUST, cite=(GET, SET), needs=("unix",))
@kinds
@each("marks", [(0, 1), (5, 5), (10, 1000), (70_000, 1 << 24)])
def test_get_write_buffer_limits_returns_what_was_set(loop: Loop, kind: str, marks: tuple[int, int]) -> None:
    """get_write_buffer_limits() returns a tuple (low, high) of the watermarks that set_write_buffer_limits() has set.

    If this fails: look for (high, low), or for marks that are rounded to a buffer's size.
    """
    low, high = marks
    with blocked(loop, kind) as (transport, _, _):
        answer: object = transport.set_write_buffer_limits(high=high, low=low)
        assert answer is None
        assert transport.get_write_buffer_limits() == (low, high)
        assert type(transport.get_write_buffer_limits()) is tuple


@requirement("flow.limits-inside-pause", MUST, cite=(SET, GET, PAUSE), needs=("unix",))
@kinds
def test_limits_can_be_set_inside_pause_writing(loop: Loop, patience: Patience, kind: str) -> None:
    """Limits that a protocol sets inside pause_writing() are those of its transport from then on.

    If this fails: look for marks that are read before the protocol is told, and put back afterwards.
    """
    protocol = Reacts("pause_writing", lambda transport: transport.set_write_buffer_limits(high=2000, low=700))
    with blocked(loop, kind, protocol) as (transport, _, peer):
        transport.set_write_buffer_limits(high=800, low=0)
        transport.write(bytes(1000))
        patience.run_until(loop, lambda: "pause_writing" in protocol.names, "pause_writing()")
        assert transport.get_write_buffer_limits() == (700, 2000)
        peer.read_until(loop, patience, lambda: "resume_writing" in protocol.names, "resume_writing()")
        assert protocol.names == ["connection_made", "pause_writing", "resume_writing"]
        assert transport.get_write_buffer_limits() == (700, 2000)


@requirement("flow.limits-large", SHOULD, cite=(GET, SET), needs=("unix",))
@kinds
def test_large_limits_are_not_cut(loop: Loop, kind: str) -> None:
    """Limits are numbers of bytes of any size: large ones are set as they are, or refused with OverflowError.

    If this fails: look for marks that are cut to the 32 bits of an integer of another language.
    """
    with blocked(loop, kind) as (transport, _, _):
        before = transport.get_write_buffer_limits()
        try:
            transport.set_write_buffer_limits(high=(1 << 40) + 2, low=(1 << 33) + 1)
        except OverflowError:
            assert transport.get_write_buffer_limits() == before
        else:
            assert transport.get_write_buffer_limits() == ((1 << 33) + 1, (1 << 40) + 2)


@requirement("flow.limits-by-position", MUST, cite=SET, needs=("unix",))
@kinds
def test_the_high_watermark_is_the_first_argument(loop: Loop, kind: str) -> None:
    """The arguments of set_write_buffer_limits() are high and low, in this order.

    If this fails: look for the order that get_write_buffer_limits() has.
    """
    with blocked(loop, kind) as (transport, _, _):
        transport.set_write_buffer_limits(2000, 100)
        assert transport.get_write_buffer_limits() == (100, 2000)


@requirement("flow.limits-unset", MUST, cite=GET, needs=("unix",))
@kinds
def test_a_new_transport_has_limits(loop: Loop, kind: str) -> None:
    """By default there are limits, implementation-specific positive numbers of bytes, low not above high.

    If this fails: look for None, or an unlimited buffer.
    """
    with blocked(loop, kind) as (transport, _, _):
        low, high = transport.get_write_buffer_limits()
        assert (type(low), type(high)) == (int, int)
        assert 0 < low <= high


@requirement("flow.limits-default", MAY, cite=SET, needs=("unix",))
def test_the_default_limits_are_recorded(loop: Loop, answer: Callable[[object], None]) -> None:
    """The default watermarks are implementation-specific.

    If this fails: the loop raised where an answer was expected.
    """
    with blocked(loop) as (transport, _, _):
        answer("low {}, high {}".format(*transport.get_write_buffer_limits()))


@requirement("flow.limits-reset", SHOULD, cite=SET, needs=("unix",))
@kinds
def test_setting_no_limits_sets_the_defaults(loop: Loop, kind: str) -> None:
    """set_write_buffer_limits() without arguments, or with None for both, sets the defaults again.

    If this fails: look for None that means "as it was".
    """
    with blocked(loop, kind) as (transport, _, _):
        default = transport.get_write_buffer_limits()
        for arguments in ((), (None, None)):
            transport.set_write_buffer_limits(high=7, low=3)
            transport.set_write_buffer_limits(*arguments)
            assert transport.get_write_buffer_limits() == default


@requirement("flow.low-by-default", MUST, cite=SET, needs=("unix",))
@kinds
@each("high", [1, 3, 1000, 1 << 24])
def test_the_low_watermark_follows_the_high_one(loop: Loop, kind: str, high: int) -> None:
    """If only the high watermark is given, the low one defaults to a value less than or equal to it.

    If this fails: look for a low watermark that stays what it was, above the new high one.
    """
    with blocked(loop, kind) as (transport, _, _):
        for before in (None, 1 << 25):
            transport.set_write_buffer_limits(high=before, low=before)
            transport.set_write_buffer_limits(high=high)
            low, now = transport.get_write_buffer_limits()
            assert now == high
            assert 0 <= low <= high


@requirement("flow.high-by-default", SHOULD, cite=SET, needs=("unix",))
@kinds
@each("low", [1, 1000, 1 << 24])
def test_the_high_watermark_follows_the_low_one(loop: Loop, kind: str, low: int) -> None:
    """If only the low watermark is given, the high one defaults to a value that is not below it.

    If this fails: look for a low watermark that is refused because of a default, or of the high one set before.
    """
    with blocked(loop, kind) as (transport, _, _):
        for before in (None, 0):
            transport.set_write_buffer_limits(high=before, low=before)
            transport.set_write_buffer_limits(low=low)
            now, high = transport.get_write_buffer_limits()
            assert now == low
            assert high >= low


@requirement("flow.zero-high-forces-low", MUST, cite=SET, needs=("unix",))
@kinds
def test_a_high_watermark_of_zero_forces_low_to_zero(loop: Loop, kind: str) -> None:
    """Setting high to zero forces low to zero as well.

    If this fails: look for 0 that is taken for "not given".
    """
    with blocked(loop, kind) as (transport, _, _):
        transport.set_write_buffer_limits(high=0)
        assert transport.get_write_buffer_limits() == (0, 0)


@requirement("flow.zero-low-kept", MUST, cite=SET, needs=("unix",))
@kinds
def test_a_low_watermark_of_zero_is_one(loop: Loop, kind: str) -> None:
    """low may be zero, with a high watermark of any size.

    If this fails: look for 0 that is taken for "not given".
    """
    with blocked(loop, kind) as (transport, _, _):
        transport.set_write_buffer_limits(high=4000, low=0)
        assert transport.get_write_buffer_limits() == (0, 4000)


@requirement("flow.low-above-high", MUST, cite=SET, needs=("unix",))
@kinds
def test_a_low_watermark_above_the_high_one_is_refused(loop: Loop, kind: str) -> None:
    """The low watermark must be less than or equal to the high watermark: an exception is raised otherwise.

    If this fails: look for marks that are swapped, or accepted as they are.
    """
    with blocked(loop, kind) as (transport, _, _), refused():
        transport.set_write_buffer_limits(high=10, low=11)


@requirement("flow.negative-limits", MUST, cite=SET, needs=("unix",))
@kinds
@each("marks", [{"high": -1}, {"low": -1}, {"high": 5, "low": -1}, {"high": -1, "low": -2}])
def test_negative_watermarks_are_refused(loop: Loop, kind: str, marks: dict[str, int]) -> None:
    """Neither high nor low can be negative: an exception is raised otherwise.

    If this fails: look for marks that are compared with each other only.
    """
    with blocked(loop, kind) as (transport, _, _), refused():
        transport.set_write_buffer_limits(**marks)


@requirement("flow.refused-limits", SHOULD, cite=SET, needs=("unix",))
@kinds
def test_limits_that_are_refused_change_nothing(loop: Loop, kind: str) -> None:
    """Limits that are refused leave those that were set before.

    If this fails: look for marks that are stored before they are compared.
    """
    with blocked(loop, kind) as (transport, _, _):
        transport.set_write_buffer_limits(high=10, low=5)
        for marks in ({"high": 20, "low": 21}, {"high": 30, "low": -1}):
            with refused():
                transport.set_write_buffer_limits(**marks)
        assert transport.get_write_buffer_limits() == (5, 10)


@requirement("flow.limits-of-each", MUST, cite=SET, needs=("unix",))
@kinds
def test_each_transport_has_its_own_limits(loop: Loop, kind: str) -> None:
    """Limits are those of one transport: setting them changes no other.

    If this fails: look for marks that are kept by the class, or by the loop.
    """
    with blocked(loop, kind) as (first, _, _), blocked(loop, kind) as (second, _, _):
        default = second.get_write_buffer_limits()
        first.set_write_buffer_limits(high=7, low=3)
        assert second.get_write_buffer_limits() == default


@requirement("flow.buffer-size", MUST, cite=SIZE, needs=("unix",))
@kinds
def test_get_write_buffer_size_is_what_waits(loop: Loop, patience: Patience, kind: str) -> None:
    """get_write_buffer_size() returns the current size of the output buffer: what was written and is not yet sent.

    If this fails: look for a count of writes, a size that lags behind, or one that write_eof() or close() forgets.
    """
    with blocked(loop, kind) as (transport, _, peer):
        assert transport.get_write_buffer_size() == 0
        for count, data in enumerate((b"a" * 1000, bytearray(1000), memoryview(bytes(1000))), 1):
            transport.write(data)
            assert transport.get_write_buffer_size() == 1000 * count
        turn(loop, 3)
        assert transport.get_write_buffer_size() == 3000
        if kind != "pipe":  # which has no other half: write_eof() closes it
            transport.write_eof()
            turn(loop, 2)
            assert transport.get_write_buffer_size() == 3000
        peer.read_until(loop, patience, lambda: transport.get_write_buffer_size() == 0, "an empty buffer")
    with blocked(loop, kind) as (transport, protocol, peer):
        transport.write(bytes(1000))
        transport.close()
        turn(loop, 2)
        assert transport.get_write_buffer_size() == 1000
        peer.read_until(loop, patience, lambda: protocol.lost, "connection_lost()")


@requirement(
    "flow.buffer-size-inside", SHOULD, cite=(SIZE, "asyncio-protocol: BaseProtocol.pause_writing"), needs=("unix",)
)
@kinds
def test_the_size_is_current_inside_the_callbacks(loop: Loop, patience: Patience, kind: str) -> None:
    """Inside pause_writing(), get_write_buffer_size() is above the high watermark, inside resume_writing() at most low.

    If this fails: look for a size that is brought up to date when the protocol has been told.
    """
    sizes: list[int] = []

    class Measures(Events):
        def pause_writing(self) -> None:
            sizes.append(self.transport.get_write_buffer_size())

        resume_writing = pause_writing

    with blocked(loop, kind, Measures()) as (transport, _, peer):
        transport.set_write_buffer_limits(high=100, low=10)
        transport.write(bytes(100))
        transport.write(bytes(100_000))
        patience.run_until(loop, lambda: sizes, "pause_writing()")
        peer.read_until(loop, patience, lambda: len(sizes) == 2, "pause_writing() and resume_writing()")
        assert sizes[0] > 100
        assert sizes[1] <= 10


@requirement("flow.buffer-size-in-bytes", MUST, cite=(SET, "gh-135862"), needs=("unix",))
@sockets
def test_the_buffer_is_measured_in_bytes(loop: Loop, patience: Patience, kind: str) -> None:
    """Sizes are measured in number of bytes, also when a view of larger items is written.

    If this fails: look for len() of a memoryview that has items of eight bytes.
    """
    items: Any = memoryview(array.array("q", range(100)))
    with blocked(loop, kind) as (transport, _, peer):
        transport.write(items)
        assert transport.get_write_buffer_size() == 800
        peer.read_until(loop, patience, lambda: len(peer.received) == 800, "eight hundred bytes")
        assert peer.received == items.tobytes()
