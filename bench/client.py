"""The load client: a process of its own that drives a server in the measured process and checks every byte.

It is forked before the worker makes its loop, uses plain sockets, and ends when the worker does. What it sends
is in `bench.traffic`. Except in the mode `paced`, latencies are those of a closed loop: they leave out what
a slow server kept from being sent.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from typing import Any

from bench.traffic import ClientFailed, Load

PATIENCE = 15.0
"""Of every socket operation of the client; the race's own patience with the worker is longer."""

inherited: list[int] = []
"""Descriptors of the worker that a forked peer must close, or the race would not see the worker's death."""

complaints: list[int] = []
"""Where a forked peer says why it ended early: the worker's parent listens. Empty under `bench.counting`."""

peers: list[int] = []
"""The processes that this one has forked with `fork_peer`."""


def fork_peer(serve: Callable[[socket.socket], None]) -> socket.socket:
    """Run `serve` in a forked process; returns this side's end of a socket pair to it."""
    ours, theirs = socket.socketpair()
    if pid := os.fork():
        peers.append(pid)
        theirs.close()
        return ours
    try:
        ours.close()
        for descriptor in inherited:
            os.close(descriptor)
        serve(theirs)
    except (ConnectionError, EOFError, TimeoutError, KeyboardInterrupt):
        pass  # the worker is gone or hangs, and that is its own affair
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        if complaints:
            os.write(complaints[0], text.encode()[:500])
        else:
            print(f"peer: {text}", file=sys.stderr, flush=True)
    finally:
        os._exit(0)


class Lines:
    """JSON lines over a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = sock.makefile("rb")

    def send(self, message: dict[str, Any]) -> None:
        self._sock.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return json.loads(line)  # type: ignore[no-any-return]


class LoadClient:
    """The worker's handle on its client."""

    def __init__(self) -> None:
        self._lines = Lines(fork_peer(_serve))

    def connect(self, address: Any, connections: int, size: int, **how: Any) -> None:
        """Begin to open connections. Returns at once: the loop has to accept them.

        `how`: family (inet, unix, udp, tls), mode (see `bench.traffic`), control (address of the control line), …
        """
        self._lines.send({"do": "connect", "address": address, "connections": connections, "size": size} | how)

    def go(self, messages: int) -> None:
        """Begin a sample. Its end is a byte on the control line."""
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


def _serve(worker: socket.socket) -> None:
    lines = Lines(worker)
    load: Load | None = None
    finish: socket.socket | None = None
    while True:
        command = lines.receive()
        if command["do"] == "connect":
            try:
                if command.get("control") is not None:
                    finish = connect("inet", command["control"])
                load = Load(command, lambda command=command: connect(**_how(command)))  # type: ignore[misc]
            except TimeoutError:
                raise
            except OSError as error:
                # The worker waits for connections and not for a message of its client: its parent has to say it.
                raise ClientFailed(f"{type(error).__name__}: {error}") from error
        elif load is not None:
            try:
                load.run(command["messages"])
                answer = {"messages": command["messages"], "latency": load.latency}
            except (ClientFailed, OSError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            lines.send(answer)
            if finish is not None:
                finish.sendall(b".")


def _how(command: dict[str, Any]) -> dict[str, Any]:
    return {"family": command["family"], "address": command["address"], "ca": command.get("ca")}


def connect(family: str, address: Any, ca: str | None = None) -> socket.socket:
    """A connected blocking socket."""
    if family == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(address)
        return sock
    if family == "udp":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(tuple(address))
        sock.settimeout(PATIENCE)
        return sock
    sock = socket.create_connection(tuple(address), timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A reset on close leaves no TIME_WAIT: thousands of connections per worker would use up the ports.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if family == "tls":
        return ssl.create_default_context(cafile=ca).wrap_socket(sock, server_hostname="localhost")
    return sock
