"""What the load client does in one sample: each mode is a function of its connections and a message count.

All sockets are blocking except where a mode says otherwise. A mode raises ClientFailed when the server closed a
connection or answered with other bytes than those that were sent.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

from bench.histogram import bucket

DUPLEX_FROM = 64 * 1024
"""Messages this large may fill both socket buffers: send and receive by readiness instead of in turn."""
DUPLEX_WAVE = 32
"""Connections per wave of large messages, so that a wave of 1 MiB messages stays at 32 MiB."""
PIPELINED = 32
"""Messages that a pipelining connection sends before it reads."""
CHUNK = bytes(range(256)) * 256
"""64 KiB: the unit of bulk transfers."""


class ClientFailed(Exception):
    """The client saw wrong bytes or a closed connection."""


class Connection:
    """One connection of the client, with the message that only it sends."""

    def __init__(self, sock: socket.socket, number: int, size: int) -> None:
        self.sock = sock
        stamp = number.to_bytes(4, "big")
        self.message = (stamp * (size // 4 + 1))[:size]
        self.answer = bytearray(size)
        self.view = memoryview(self.answer)
        self.began = 0
        self.upgraded = False

    def begin(self) -> None:
        self.began = time.perf_counter_ns()
        self.sock.sendall(self.message)

    def end(self) -> int:
        """Receive the echo; returns nanoseconds since `begin`."""
        receive_exactly(self.sock, self.view)
        return self.finish()

    def finish(self) -> int:
        taken = time.perf_counter_ns() - self.began
        if self.answer != self.message:
            raise ClientFailed("the echo differs from what was sent")
        return taken


class Load:
    """The client's state between samples."""

    def __init__(self, command: dict[str, Any], connect: Callable[[], socket.socket]) -> None:
        self.connect = connect
        self.command = command
        self.size: int = command["size"]
        self.connections = [Connection(connect(), n, self.size) for n in range(command["connections"])]
        self.turn = 0
        self.latency: dict[int, int] = {}

    def run(self, messages: int) -> None:
        self.latency = {}
        MODES[self.command.get("mode", "echo")](self, messages)

    def saw(self, nanoseconds: int) -> None:
        index = bucket(nanoseconds)
        self.latency[index] = self.latency.get(index, 0) + 1

    def wave(self, width: int) -> list[Connection]:
        """The next connections in turn."""
        count = len(self.connections)
        chosen = [self.connections[(self.turn + step) % count] for step in range(min(width, count))]
        self.turn = (self.turn + len(chosen)) % count
        return chosen


def receive_exactly(sock: socket.socket, view: memoryview) -> None:
    got = 0
    while got < len(view):
        count = sock.recv_into(view[got:])
        if not count:
            raise ClientFailed("the server closed a connection")
        got += count


def echo(load: Load, messages: int) -> None:
    """Waves: one message on each connection, then one answer from each."""
    large = load.size >= DUPLEX_FROM
    while messages > 0:
        wave = load.wave(min(messages, DUPLEX_WAVE) if large else messages)
        if large:
            _duplex(load, wave)
        else:
            for connection in wave:
                connection.begin()
            for connection in wave:
                load.saw(connection.end())
        messages -= len(wave)


def _duplex(load: Load, wave: list[Connection]) -> None:
    """One large message on each connection, sending and receiving whatever is possible."""
    with selectors.DefaultSelector() as selector:
        for connection in wave:
            connection.sock.setblocking(False)
            selector.register(connection.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, [connection, 0, 0])
            connection.began = time.perf_counter_ns()
        left = len(wave)
        while left:
            for key, mask in selector.select():
                state = key.data
                connection, sent, got = state
                if mask & selectors.EVENT_WRITE:
                    state[1] = sent = sent + connection.sock.send(memoryview(connection.message)[sent:])
                    if sent == load.size:
                        selector.modify(connection.sock, selectors.EVENT_READ, state)
                if mask & selectors.EVENT_READ:
                    count = connection.sock.recv_into(connection.view[got:])
                    if not count:
                        raise ClientFailed("the server closed a connection")
                    state[2] = got = got + count
                    if got == load.size:
                        load.saw(connection.finish())
                        selector.unregister(connection.sock)
                        left -= 1
    for connection in wave:
        connection.sock.setblocking(True)


def pipeline(load: Load, messages: int) -> None:
    """Each connection sends many messages at once and then reads all the answers."""
    while messages > 0:
        burst = min(messages, PIPELINED)
        (connection,) = load.wave(1)
        sent = connection.message * burst
        connection.sock.sendall(sent)
        answer = bytearray(len(sent))
        receive_exactly(connection.sock, memoryview(answer))
        if answer != sent:
            raise ClientFailed("the echo differs from what was sent")
        messages -= burst


def half_slow(load: Load, messages: int) -> None:
    """Every second connection sends one byte per wave, the others whole messages."""
    fast, slow = load.connections[::2], load.connections[1::2]
    byte = bytearray(1)
    while messages > 0:
        wave = fast[: min(len(fast), messages)]
        for connection in slow:
            connection.sock.sendall(b"s")
        for connection in wave:
            connection.begin()
        for connection in wave:
            load.saw(connection.end())
        for connection in slow:
            receive_exactly(connection.sock, memoryview(byte))
            if byte != b"s":
                raise ClientFailed("the echo differs from what was sent")
        messages -= len(wave)


def paced(load: Load, messages: int) -> None:
    """Messages at fixed times, answers whenever they come: latency from the time a message was due.

    A server that stalls cannot keep later messages from being counted, which a closed loop would let it do.
    """
    interval = round(1e9 / load.command["rate"])
    start = time.perf_counter_ns()
    sent = received = 0
    due: dict[Connection, int] = {}
    with selectors.DefaultSelector() as selector:
        for connection in load.connections:
            selector.register(connection.sock, selectors.EVENT_READ, connection)
        idle = list(load.connections)
        while received < messages:
            now = time.perf_counter_ns()
            while sent < messages and idle and start + sent * interval <= now:
                connection = idle.pop()
                due[connection] = start + sent * interval
                connection.sock.sendall(connection.message)
                sent += 1
            wait = (start + sent * interval - now) / 1e9 if sent < messages and idle else None
            for key, _ in selector.select(wait):
                connection = key.data
                receive_exactly(connection.sock, connection.view)
                connection.finish()
                load.saw(time.perf_counter_ns() - due.pop(connection))
                idle.append(connection)
                received += 1


def upload(load: Load, messages: int) -> None:
    """Chunks one way; the server knows how many to expect."""
    (connection,) = load.wave(1)
    for _ in range(messages):
        connection.sock.sendall(CHUNK)


def download(load: Load, messages: int) -> None:
    """Receive chunks that the server sends of its own accord."""
    (connection,) = load.wave(1)
    buffer = bytearray(len(CHUNK))
    for _ in range(messages * load.command.get("chunks", 1)):
        receive_exactly(connection.sock, memoryview(buffer))
        if buffer != CHUNK:
            raise ClientFailed("the received chunk differs from what was sent")


def reconnect(load: Load, messages: int) -> None:
    """Open a connection, exchange one message, close it."""
    for number in range(messages):
        connection = Connection(load.connect(), number, load.size)
        connection.begin()
        load.saw(connection.end())
        connection.sock.close()


def http(load: Load, messages: int) -> None:
    """Waves of GET requests over kept connections; every answer must be 200 with a body of the load's size."""
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    while messages > 0:
        wave = load.wave(messages)
        for connection in wave:
            connection.began = time.perf_counter_ns()
            connection.sock.sendall(request)
        for connection in wave:
            head, body = _head(connection.sock)
            while len(body) < load.size:
                body += _some(connection.sock)
            if not head.startswith(b"HTTP/1.1 200") or body != b"x" * load.size:
                raise ClientFailed("the answer is not the body that was expected")
            load.saw(time.perf_counter_ns() - connection.began)
        messages -= len(wave)


def websocket(load: Load, messages: int) -> None:
    """Waves of binary messages over WebSocket connections, which are opened in the first sample."""
    header = b"\x82\xfe" + load.size.to_bytes(2, "big") + bytes(4)  # masked with zeros
    answer_header = b"\x82\x7e" + load.size.to_bytes(2, "big")
    answer = bytearray(len(answer_header) + load.size)
    while messages > 0:
        wave = load.wave(messages)
        for connection in wave:
            if not connection.upgraded:
                _upgrade(connection)
            connection.began = time.perf_counter_ns()
            connection.sock.sendall(header + connection.message)
        for connection in wave:
            receive_exactly(connection.sock, memoryview(answer))
            if answer != answer_header + connection.message:
                raise ClientFailed("the echo differs from what was sent")
            load.saw(time.perf_counter_ns() - connection.began)
        messages -= len(wave)


def _upgrade(connection: Connection) -> None:
    connection.sock.sendall(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    head, rest = _head(connection.sock)
    if not head.startswith(b"HTTP/1.1 101") or rest:
        raise ClientFailed("the server did not switch to WebSocket")
    connection.upgraded = True


def _head(sock: socket.socket) -> tuple[bytes, bytes]:
    """An answer's head, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ClientFailed("the server closed a connection")
    return data


MODES: dict[str, Callable[[Load, int], None]] = {
    mode.__name__: mode for mode in (echo, pipeline, half_slow, paced, upload, download, reconnect, http, websocket)
}
