"""The load client: a process of its own that drives a server in the measured process and checks every byte.

It is forked before the worker makes its loop, uses plain sockets, and ends when the worker does. It sends in
waves (one message on each of its connections, then one answer from each), which gives concurrency without
an event loop on this side. Latencies are those of a closed loop, so they leave out what a slow server kept
from being sent.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.histogram import bucket

DUPLEX_FROM = 64 * 1024
"""Messages this large may fill both socket buffers: send and receive by readiness instead of in turn."""
DUPLEX_WAVE = 32
"""Connections per wave of large messages, so that a wave of 1 MiB messages stays at 32 MiB."""

inherited: list[int] = []
"""Descriptors of the worker that a forked peer must close, or the race would not see the worker's death."""


class ClientFailed(Exception):
    """The client saw wrong bytes or a closed connection."""


def fork_peer(serve: Callable[[socket.socket], None]) -> socket.socket:
    """Run `serve` in a forked process; returns this side's end of a socket pair to it."""
    ours, theirs = socket.socketpair()
    if os.fork():
        theirs.close()
        return ours
    try:
        ours.close()
        for descriptor in inherited:
            os.close(descriptor)
        serve(theirs)
    except (ConnectionError, BrokenPipeError, EOFError, KeyboardInterrupt):
        pass
    except BaseException as error:
        print(f"peer: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(0)


class Lines:
    """JSON lines over a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb")

    def send(self, message: dict[str, Any]) -> None:
        self.sock.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return json.loads(line)  # type: ignore[no-any-return]


class LoadClient:
    """The worker's handle on its client."""

    def __init__(self, command: Callable[[socket.socket], None] | None = None) -> None:
        self._lines = Lines(fork_peer(command or _serve))

    def connect(self, address: Any, connections: int, size: int, **how: Any) -> None:
        """Begin to open connections. Returns at once: the loop has to accept them."""
        self._lines.send({"do": "connect", "address": address, "connections": connections, "size": size} | how)

    def go(self, messages: int) -> None:
        """Begin a sample. Its end is a byte on the control connection."""
        self._lines.send({"do": "go", "messages": messages})

    def report(self) -> dict[str, Any]:
        """What the sample was: {"messages": n, "latency": {bucket: count}}. Raises ClientFailed."""
        try:
            answer = self._lines.receive()
        except (EOFError, ConnectionError) as error:
            raise ClientFailed("the load client ended early") from error
        if "error" in answer:
            raise ClientFailed(answer["error"])
        return answer


class _Connection:
    """One connection of the client, with the message that only it sends."""

    def __init__(self, sock: socket.socket, number: int, size: int) -> None:
        self.sock = sock
        stamp = number.to_bytes(4, "big")
        self.message = (stamp * (size // 4 + 1))[:size]
        self.answer = bytearray(size)
        self.view = memoryview(self.answer)

    def exchange_begin(self) -> None:
        self.began = time.perf_counter_ns()
        self.sock.sendall(self.message)

    def exchange_end(self) -> int:
        got, size = 0, len(self.message)
        while got < size:
            count = self.sock.recv_into(self.view[got:])
            if not count:
                raise ClientFailed("the server closed a connection")
            got += count
        taken = time.perf_counter_ns() - self.began
        if self.answer != self.message:
            raise ClientFailed("the echo differs from what was sent")
        return taken


def _serve(control: socket.socket) -> None:
    lines = Lines(control)
    connections: list[_Connection] = []
    finish: socket.socket | None = None
    turn = 0
    while True:
        command = lines.receive()
        if command["do"] == "connect":
            connections = [
                _Connection(_connect(command, command["address"]), number, command["size"])
                for number in range(command["connections"])
            ]
            if command.get("control") is not None:
                finish = _connect({"family": "inet"}, command["control"])
        elif command["do"] == "go":
            latency: dict[int, int] = {}
            try:
                turn = _waves(connections, command["messages"], turn, latency)
                answer = {"messages": command["messages"], "latency": latency}
            except (ClientFailed, OSError) as error:
                answer = {"error": f"client: {error}"}
            lines.send(answer)
            if finish is not None:
                finish.sendall(b".")


def _connect(how: dict[str, Any], address: Any) -> socket.socket:
    if how["family"] == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(address)
        return sock
    if how["family"] == "udp":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(tuple(address))
        return sock
    sock = socket.create_connection(tuple(address))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A reset on close leaves no TIME_WAIT: thousands of connections per worker would use up the ports.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    if how["family"] == "tls":
        context = ssl.create_default_context(cafile=how["ca"])
        return context.wrap_socket(sock, server_hostname="localhost")
    return sock


def _waves(connections: list[_Connection], messages: int, turn: int, latency: dict[int, int]) -> int:
    """Exchange `messages`, beginning with connection `turn`; returns where the next sample begins."""
    count = len(connections)
    large = len(connections[0].message) >= DUPLEX_FROM
    width = min(count, DUPLEX_WAVE) if large else count
    while messages:
        wave = [connections[(turn + step) % count] for step in range(min(width, messages))]
        if large:
            times = _duplex(wave)
        else:
            for connection in wave:
                connection.exchange_begin()
            times = [connection.exchange_end() for connection in wave]
        for taken in times:
            index = bucket(taken)
            latency[index] = latency.get(index, 0) + 1
        messages -= len(wave)
        turn = (turn + len(wave)) % count
    return turn


def _duplex(wave: list[_Connection]) -> list[int]:
    """One large message on each connection, sending and receiving whatever is possible."""
    times = []
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
                size = len(connection.message)
                if mask & selectors.EVENT_WRITE:
                    state[1] = sent = sent + connection.sock.send(memoryview(connection.message)[sent:])
                    if sent == size:
                        selector.modify(connection.sock, selectors.EVENT_READ, state)
                if mask & selectors.EVENT_READ:
                    count = connection.sock.recv_into(connection.view[got:])
                    if not count:
                        raise ClientFailed("the server closed a connection")
                    state[2] = got = got + count
                    if got == size:
                        times.append(time.perf_counter_ns() - connection.began)
                        selector.unregister(connection.sock)
                        if connection.answer != connection.message:
                            raise ClientFailed("the echo differs from what was sent")
                        left -= 1
    for connection in wave:
        connection.sock.setblocking(True)
    return times
