"""Guards: promises that a fast loop may have broken to be fast. Facts, never speeds.

Each holds for a fraction of a second. Times are read from time.monotonic(), not from the loop's own clock.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import statistics
import time
from pathlib import Path

from bench import memory
from bench.client import LoadClient, connect, fork_peer
from bench.servers import Echo, Gate, created
from bench.traffic import receive_exactly
from bench.workload import Workload


class IoUnderFlood(Workload):
    """While callbacks schedule each other without end, how long does a readable descriptor wait?

    A loop that empties its ready queue before it polls never serves it; the flood ends after 0.2 s.
    """

    name = "guards.io_under_flood"
    drives = "fairness of call_soon and I/O"
    unit = "observation"
    facts = True

    async def observe(self) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        here.setblocking(False)
        waits: list[float] = []
        callbacks = 0
        sent = began = time.monotonic()
        finished = loop.create_future()

        def readable() -> None:
            nonlocal sent
            here.recv(1)
            waits.append(time.monotonic() - sent)
            sent = time.monotonic()
            there.send(b"x")

        def flood() -> None:
            nonlocal callbacks
            callbacks += 1
            if len(waits) < 200 and time.monotonic() - began < 0.2:
                loop.call_soon(flood)
            elif not finished.done():
                finished.set_result(None)

        loop.add_reader(here.fileno(), readable)
        there.send(b"x")
        for _ in range(10):
            loop.call_soon(flood)
        await finished
        loop.remove_reader(here.fileno())
        return {
            "served_count": len(waits),
            "wait_median_ms": statistics.median(waits) * 1e3 if waits else 200.0,
            "wait_max_ms": max(waits) * 1e3 if waits else 200.0,
        }


class TimerLateness(Workload):
    """While tasks keep the loop busy, how late do timers of 2 ms fire?"""

    name = "guards.timer_lateness"
    drives = "loop.call_later under load"
    unit = "observation"
    facts = True

    async def observe(self) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        late: list[float] = []
        busy = True

        async def work() -> None:
            while busy:
                await asyncio.sleep(0)

        tasks = [loop.create_task(work()) for _ in range(50)]
        for _ in range(30):
            due, fired = time.monotonic() + 0.002, loop.create_future()
            loop.call_later(0.002, fired.set_result, None)
            await fired
            late.append(time.monotonic() - due)
        busy = False
        await asyncio.gather(*tasks)
        return {"late_median_ms": statistics.median(late) * 1e3, "late_max_ms": max(late) * 1e3}


class TimerEarliness(Workload):
    """Does a timer fire before its time? A millisecond clock that is cached makes it so."""

    name = "guards.timer_earliness"
    drives = "loop.call_later"
    unit = "observation"
    facts = True

    async def observe(self) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        early: list[float] = []
        for step in range(20):
            # Time passes in the callback before call_later(): a cached clock stands still meanwhile.
            until = time.monotonic() + 0.0009
            while time.monotonic() < until:
                pass
            delay = 0.002 + step * 0.0001
            due, fired = time.monotonic() + delay, loop.create_future()
            loop.call_later(delay, fired.set_result, None)
            await fired
            early.append(due - time.monotonic())
        # The loop's clock may be coarser than this one: its resolution is not earliness.
        slack = 50e-6
        return {
            "early_count": sum(one > slack for one in early),
            "early_max_ms": max(0.0, max(early)) * 1e3,
        }


class Starvation(Workload):
    """While one connection sends without pause, how long does another's small message take?"""

    name = "guards.starvation"
    drives = "fairness among connections"
    unit = "observation"
    facts = True

    def prepare(self) -> None:
        self.peer = fork_peer(_flood_and_ping)

    async def observe(self) -> dict[str, float]:
        gate = Gate(2)
        server = await created(lambda: Echo(gate))
        finished = asyncio.get_running_loop().create_future()

        def report() -> None:
            if not finished.done():
                finished.set_result(self.peer.recv(4096))

        asyncio.get_running_loop().add_reader(self.peer.fileno(), report)
        self.peer.sendall(str(server.sockets[0].getsockname()[1]).encode())
        median, highest = (float(part) for part in (await finished).split())
        return {"wait_median_ms": median * 1e3, "wait_max_ms": highest * 1e3}


def _flood_and_ping(worker: socket.socket) -> None:
    address = ("127.0.0.1", int(worker.recv(16)))
    flood, ping = connect("inet", address), connect("inet", address)
    flood.setblocking(False)
    block, waits, answer = b"f" * 65536, [], bytearray(64)
    for _ in range(100):
        # Fill the flooding connection both ways, then ask on the other.
        for _ in range(4):
            try:
                flood.send(block)
                flood.recv(1 << 20)
            except BlockingIOError:
                break
        began = time.monotonic()
        ping.sendall(b"p" * 64)
        receive_exactly(ping, memoryview(answer))
        waits.append(time.monotonic() - began)
    worker.sendall(f"{statistics.median(waits)} {max(waits)}".encode())
    worker.recv(1)


class Footprint(Workload):
    """What an idle connection weighs, and what the loop does while nothing happens."""

    name = "guards.footprint"
    drives = "idle connections"
    unit = "observation"
    facts = True

    def prepare(self) -> None:
        self.client = LoadClient()

    async def observe(self) -> dict[str, float]:
        gate = Gate(500)
        server = await created(lambda: Echo(gate))
        before = memory.resident()
        self.client.connect(server.sockets[0].getsockname()[:2], 500, 64, family="inet")
        await gate.reached
        weight = (memory.resident() - before) / 500
        cpu, switches = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        await asyncio.sleep(0.2)
        cpu = time.process_time() - cpu
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - switches
        tasks = Path("/proc/self/task")
        threads = {"threads_count": float(len(os.listdir(tasks)))} if tasks.exists() else {}
        return {
            "per_connection_bytes": weight,
            "idle_cpu_percent": cpu / 0.2 * 100,
            "idle_wake_ups_per_second": switches / 0.2,
            **threads,
        }
