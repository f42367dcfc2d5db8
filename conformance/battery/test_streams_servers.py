"""Chapter streams: what start_server() and start_unix_server() do with the servers of the loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable
from typing import Any

from conformance.kit.cases import each
from conformance.kit.patience import Patience, turn
from conformance.kit.peers import drive, receive_all, receive_exactly, socket_path
from conformance.kit.streams import SERVED, answer_line, answer_to_line, dialled_stream, opening_to, stream_server
from conformance.kit.threads import in_thread
from conformance.kit.waiting import until
from conformance.requirement import MUST, SHOULD, requirement

Loop = asyncio.AbstractEventLoop


class _Handlers:
    """Answers each client with the line that it sent, as a callback of each kind that may be given."""

    def __init__(self) -> None:
        self.tasks: list[Any] = []

    async def coroutine(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        await answer_line(reader, writer)

    def callable(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(answer_line(reader, writer)))

    def chosen(self, kind: str) -> Callable[..., Any]:
        kinds: dict[str, Callable[..., Any]] = {
            "coroutine function": self.coroutine,
            "plain callable": self.callable,
            "partial of a coroutine function": functools.partial(_Handlers.coroutine, self),
            "lambda that gives a coroutine": lambda reader, writer: self.coroutine(reader, writer),
        }
        return kinds[kind]


@requirement("streams.server", MUST, cite=("asyncio-stream: start_server", "asyncio-stream: start_unix_server"))
@each(
    "kind",
    ["coroutine function", "plain callable", "partial of a coroutine function", "lambda that gives a coroutine"],
)
@SERVED
def test_start_server_calls_back_with_a_pair(loop: Loop, patience: Patience, way: str, kind: str) -> None:
    """client_connected_cb is called whenever a connection is established, with reader and writer; a coroutine function
    is scheduled as a task.

    If this fails: look for a callback whose coroutine nobody runs.
    """
    handlers = _Handlers()
    chosen = handlers.chosen(kind)

    async def scenario() -> bytes:
        with socket_path() as path:
            if way == "accepted":
                server = await asyncio.start_server(chosen, "127.0.0.1", 0)
            else:
                server = await asyncio.start_unix_server(chosen, path)
            return await answer_to_line(server, opening_to(server.sockets[0]))

    assert loop.run_until_complete(asyncio.wait_for(scenario(), patience.seconds)) == b"LINE\n"
    assert [isinstance(task, asyncio.Task) for task in handlers.tasks] == [True]


@requirement(
    "streams.server-after-eof", MUST, cite=("asyncio-stream: start_server", "asyncio-stream: start_unix_server")
)
@SERVED
def test_a_handler_goes_on_when_the_client_has_said_all(loop: Loop, patience: Patience, way: str) -> None:
    """A coroutine function is scheduled as a task, which goes on to its end: the client's EOF is read, and answered.

    If this fails: look for a task that is cancelled, or a connection that is closed, with the client's last word.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.read()
        await asyncio.sleep(0.005)
        writer.write(question.upper())
        writer.close()

    async def scenario() -> bytes:
        with socket_path() as path:
            if way == "accepted":
                server = await asyncio.start_server(handle, "127.0.0.1", 0)
            else:
                server = await asyncio.start_unix_server(handle, path)
            reader, writer = await opening_to(server.sockets[0])
            writer.write(b"question")
            writer.write_eof()
            answer: bytes = await reader.read()
            writer.close()
            server.close()
            return answer

    assert loop.run_until_complete(asyncio.wait_for(scenario(), patience.seconds)) == b"QUESTION"


@requirement("streams.server-several", MUST, cite="asyncio-stream: start_server")
@SERVED
def test_a_server_serves_several_clients_at_once(loop: Loop, patience: Patience, way: str) -> None:
    """client_connected_cb is called whenever a new connection is established, each time with a pair of its own.

    If this fails: look for a protocol that two connections share, or a connection that waits for the end of another.
    """
    with stream_server(loop, way) as (server, connected), contextlib.ExitStack() as stack:
        peers = []
        for number in range(3):  # one after the other, each while those before it are open
            peers.append(stack.enter_context(dialled_stream(server)))
            patience.run_until(loop, lambda: len(connected) > number, "client_connected_cb")  # noqa: B023 (it is over)
        assert len({id(part) for pair in connected for part in pair}) == 6
        for number, peer in enumerate(peers):
            peer.sendall(b"%d" % number)
            reader, writer = connected[number]
            data = loop.run_until_complete(asyncio.wait_for(reader.readexactly(1), patience.seconds))
            assert data == b"%d" % number
            writer.write(data * 2)
            assert drive(loop, patience, in_thread(functools.partial(receive_exactly, peer, 2))) == data * 2
        for _, writer in connected:
            writer.transport.abort()
        turn(loop, 4)


@requirement("streams.server-in-the-loop", MUST, cite="asyncio-stream: start_server")
@SERVED
def test_a_callback_is_called_in_the_loop(loop: Loop, patience: Patience, way: str) -> None:
    """client_connected_cb is called by the loop: it is the running one there, and in the task of a coroutine function.

    If this fails: look for a callback that is called in another thread, or before the loop runs.
    """
    running: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.append(asyncio.get_running_loop())
        writer.close()

    def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
        running.append(asyncio.get_running_loop())
        return serve(reader, writer)

    with stream_server(loop, way, called) as (server, _), dialled_stream(server) as peer:
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b""
    assert running == [loop, loop]


@requirement("streams.server-error", SHOULD, cite="gh-110894")
@SERVED
def test_a_handler_that_fails_is_reported(loop: Loop, patience: Patience, watch: Any, way: str) -> None:
    """An exception of a coroutine client_connected_cb is given to the exception handler; the connection is closed.

    If this fails: look for a handler's task whose exception is lost.
    """
    watch.allow("reported")
    watch.reported.clear()

    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise LookupError("in the handler")

    with stream_server(loop, way, fail) as (server, _), dialled_stream(server) as peer:
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b""
    assert any(isinstance(context.get("exception"), LookupError) for context in watch.reported)


@requirement("streams.server-starts-later", MUST, cite=("asyncio-stream: start_server", "asyncio-eventloop: Server"))
@SERVED
def test_a_server_of_streams_starts_when_it_is_told(loop: Loop, patience: Patience, way: str) -> None:
    """start_serving=False is passed on: the server accepts no connection until its start_serving() was awaited.

    If this fails: look for an argument that is dropped on the way to create_server() or create_unix_server().
    """
    connected: list[Any] = []

    def dismiss(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        writer.close()

    with stream_server(loop, way, dismiss, start_serving=False) as (server, _):
        assert not server.is_serving()
        with contextlib.suppress(OSError):  # its sockets may listen already: then this one is accepted later
            dialled_stream(server).close()
        turn(loop, 5)
        assert connected == []
        loop.run_until_complete(server.start_serving())
        with dialled_stream(server) as peer:
            assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b""
        assert connected


@requirement("streams.server-close", MUST, cite="asyncio-eventloop: Server.close")
@SERVED
def test_streams_outlive_their_server(loop: Loop, patience: Patience, way: str) -> None:
    """close() of a server leaves the streams of the connections that were accepted open, in both directions.

    If this fails: look for a server that closes what it has accepted.
    """
    with stream_server(loop, way) as (server, connected), dialled_stream(server) as peer:
        patience.run_until(loop, lambda: connected, "client_connected_cb")
        server.close()
        turn(loop, 3)
        reader, writer = connected[0]
        peer.sendall(b"still")
        assert loop.run_until_complete(asyncio.wait_for(reader.readexactly(5), patience.seconds)) == b"still"
        writer.write(b"here")
        writer.close()
        assert drive(loop, patience, in_thread(lambda: receive_all(peer))) == b"here"
        loop.run_until_complete(asyncio.wait_for(writer.wait_closed(), patience.seconds))


@requirement("streams.server-sock", MUST, cite="asyncio-stream: start_server")
def test_start_server_takes_a_socket(loop: Loop, patience: Patience) -> None:
    """The sock argument of start_server() transfers ownership to the server, whose close() closes the socket.

    If this fails: look for a duplicate of the descriptor, or a listener that is made anew.
    """
    listening = socket.create_server(("127.0.0.1", 0), backlog=16)
    address = listening.getsockname()

    async def scenario() -> None:
        server = await asyncio.start_server(answer_line, sock=listening)
        assert [sock.getsockname() for sock in server.sockets] == [address]
        assert await answer_to_line(server, asyncio.open_connection(*address)) == b"LINE\n"
        await until(patience, lambda: listening.fileno() == -1, "the end of the listening socket")

    loop.run_until_complete(asyncio.wait_for(scenario(), patience.seconds))
