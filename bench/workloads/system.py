"""The system through the loop: threads, children, descriptors, signals, names, pipes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from typing import Any

from bench.workload import Workload


class RunInExecutor(Workload):
    """A function that returns at once, in the default executor."""

    name = "system.run_in_executor"
    drives = "loop.run_in_executor"
    unit = "call"
    counted = False

    async def run(self, loops: int) -> None:
        call = asyncio.get_running_loop().run_in_executor
        self.total = 0
        for _ in range(loops):
            self.total += await call(None, int, 1)

    def check(self, loops: int) -> None:
        self.expect(self.total, loops, "results")


class SpawnChild(Workload):
    """A child that exits at once, and wait() for it."""

    name = "system.subprocess.spawn"
    drives = "asyncio.create_subprocess_exec"
    unit = "child"
    counted = False

    def prepare(self) -> None:
        self.program = shutil.which("true") or "/bin/true"

    async def run(self, loops: int) -> None:
        self.statuses = []
        for _ in range(loops):
            child = await asyncio.create_subprocess_exec(self.program)
            self.statuses.append(await child.wait())

    def check(self, loops: int) -> None:
        self.expect(self.statuses, [0] * loops, "exit statuses")


class Communicate(Workload):
    """1 KiB to the child `cat` and back through two pipes."""

    name = "system.subprocess.communicate"
    drives = "asyncio.create_subprocess_exec with pipes"
    unit = "child"
    counted = False

    def prepare(self) -> None:
        self.program = shutil.which("cat") or "/bin/cat"

    async def run(self, loops: int) -> None:
        self.answers = []
        pipe = asyncio.subprocess.PIPE
        for _ in range(loops):
            child = await asyncio.create_subprocess_exec(self.program, stdin=pipe, stdout=pipe)
            self.answers.append((await child.communicate(b"x" * 1024))[0])

    def check(self, loops: int) -> None:
        self.expect(self.answers == [b"x" * 1024] * loops, True, "every child gave back what it got")


class ReaderWakeUp(Workload):
    """A descriptor becomes readable, the callback reads a byte and makes it readable again."""

    name = "system.add_reader.wake_up"
    drives = "loop.add_reader"
    unit = "callback"
    inner = 100

    async def setup(self) -> None:
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.seen = 0
        asyncio.get_running_loop().add_reader(self.here.fileno(), self.readable)

    def readable(self) -> None:
        self.seen += len(self.here.recv(1))
        if self.seen == self.wanted:
            self.finished.set_result(None)
        else:
            self.there.send(b"x")

    async def run(self, loops: int) -> None:
        self.seen, self.wanted = 0, loops * self.inner
        self.finished = asyncio.get_running_loop().create_future()
        self.there.send(b"x")
        await self.finished

    def check(self, loops: int) -> None:
        self.expect(self.seen, loops * self.inner, "bytes read")


class AddRemoveReader(Workload):
    """A watcher of a readable descriptor is set and removed again before the loop polls."""

    name = "system.add_reader.add_remove"
    drives = "loop.add_reader, loop.remove_reader"
    unit = "watcher"
    inner = 100

    async def setup(self) -> None:
        self.here, self.there = socket.socketpair()
        self.there.send(b"x")
        self.called = 0

    def readable(self) -> None:
        self.called += 1

    async def run(self, loops: int) -> None:
        loop, descriptor = asyncio.get_running_loop(), self.here.fileno()
        for _ in range(loops):
            for _ in range(self.inner):
                loop.add_reader(descriptor, self.readable)
                loop.remove_reader(descriptor)
            await asyncio.sleep(0)

    def check(self, loops: int) -> None:
        self.expect(self.called, 0, "callbacks of watchers that were removed")


class SignalDelivery(Workload):
    """The process sends itself a signal and the handler runs in the loop."""

    name = "system.signal"
    drives = "loop.add_signal_handler"
    unit = "signal"

    async def setup(self) -> None:
        self.seen = 0
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.delivered)

    def delivered(self) -> None:
        self.seen += 1
        self.finished.set_result(None)

    async def run(self, loops: int) -> None:
        loop, me = asyncio.get_running_loop(), os.getpid()
        for _ in range(loops):
            self.finished = loop.create_future()
            os.kill(me, signal.SIGUSR1)
            await self.finished

    def check(self, loops: int) -> None:
        self.expect(self.seen, loops, "handlers run")
        self.seen = 0


class GetAddrInfo(Workload):
    """A numeric address: no resolver, only the way to it."""

    name = "system.getaddrinfo"
    drives = "loop.getaddrinfo"
    unit = "look-up"
    counted = False

    async def run(self, loops: int) -> None:
        look_up = asyncio.get_running_loop().getaddrinfo
        for _ in range(loops):
            self.found = await look_up("127.0.0.1", 80, type=socket.SOCK_STREAM)

    def check(self, loops: int) -> None:
        self.expect(self.found[0][4][:2], ("127.0.0.1", 80), "address")


class Pipes(Workload):
    """1 KiB at a time through os.pipe(), both ends being transports of the loop."""

    name = "system.pipes"
    drives = "loop.connect_read_pipe, loop.connect_write_pipe"
    unit = "message"

    class Reader(asyncio.Protocol):
        def __init__(self, workload: Pipes) -> None:
            self.workload = workload

        def data_received(self, data: bytes) -> None:
            workload = self.workload
            workload.seen += len(data)
            if workload.seen == workload.wanted:
                workload.finished.set_result(None)
            elif workload.seen % 1024 == 0:
                workload.writer.write(workload.message)

    async def setup(self) -> None:
        loop = asyncio.get_running_loop()
        read, write = os.pipe()
        self.message = b"x" * 1024
        self.seen = 0
        self.reader, _ = await loop.connect_read_pipe(lambda: Pipes.Reader(self), os.fdopen(read, "rb", 0))
        writer: Any
        writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(write, "wb", 0))
        self.writer = writer

    async def run(self, loops: int) -> None:
        self.seen, self.wanted = 0, loops * 1024
        self.finished = asyncio.get_running_loop().create_future()
        self.writer.write(self.message)
        await self.finished

    def check(self, loops: int) -> None:
        self.expect(self.seen, loops * 1024, "bytes read")
