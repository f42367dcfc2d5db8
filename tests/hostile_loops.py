"""Loops that commit crimes against the process they run in, each in one method and nowhere else.

`CRIMES` says which method of the stock loop commits what. The test that uses this wants every chapter that does not
call the method to see a stock loop, and the run to end by itself with the exit code of a loop that deviates.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import locale
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from conformance import exits


def hang() -> None:
    while True:
        time.sleep(1)


def hang_with_the_gil_held() -> None:
    # PyDLL keeps the GIL while the function runs.
    ctypes.PyDLL(None).sleep(1000)


def segfault() -> None:
    ctypes.string_at(0)


def exit_at_once() -> None:
    os._exit(0)


def raise_system_exit() -> None:
    raise SystemExit(0)


def raise_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


def exhaust_descriptors() -> None:
    for _ in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        try:
            os.dup(1)
        except OSError:
            return


def close_all_descriptors() -> None:
    os.closerange(0, 4096)


def close_output() -> None:
    os.close(1)
    os.close(2)


def write_to_output() -> None:
    os.write(1, b'{"verdict": "conforms"}\n' * 1000)
    print("conforms", file=sys.stderr)


def leave_signal_handlers() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def leave_wakeup_fd() -> None:
    _reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)


def leave_asyncgen_hooks() -> None:
    sys.set_asyncgen_hooks(firstiter=lambda agen: None, finalizer=lambda agen: None)


def leave_the_running_loop() -> None:
    asyncio._set_running_loop(asyncio.new_event_loop())


def leave_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(1000,)).start()


def leave_a_daemon_thread_that_raises() -> None:
    def later() -> None:
        time.sleep(0.01)
        raise RuntimeError("too late")

    threading.Thread(target=later, daemon=True).start()


def leave_a_child() -> None:
    if os.fork() == 0:
        time.sleep(1000)
        os._exit(0)


def leave_a_daemon() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(20)
        os._exit(0)


def return_twice() -> None:
    os.fork()


def kill_the_parent() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(20)


def kill_the_parents_group() -> None:
    os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)
    time.sleep(20)


def kill_the_own_group() -> None:
    os.killpg(0, signal.SIGKILL)


def fill_memory() -> None:
    hoard: list[bytearray] = []
    while True:
        hoard.append(bytearray(64 << 20))


def change_the_recursion_limit() -> None:
    sys.setrecursionlimit(60)


def change_the_locale() -> None:
    locale.setlocale(locale.LC_ALL, "C")


def change_the_working_directory() -> None:
    os.chdir("/")


def change_the_umask() -> None:
    os.umask(0o777)


def change_the_environment() -> None:
    os.environ.clear()


def stop_the_collector() -> None:
    gc.disable()


def replace_standard_streams() -> None:
    sys.stdout = sys.stderr = None


def stop_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


CRIMES: dict[str, tuple[str, Callable[[], None]]] = {
    "Hangs": ("getaddrinfo", hang),
    "HangsWithTheGil": ("getnameinfo", hang_with_the_gil_held),
    "Segfaults": ("add_signal_handler", segfault),
    "Exits": ("run_in_executor", exit_at_once),
    "RaisesSystemExit": ("getaddrinfo", raise_system_exit),
    "RaisesKeyboardInterrupt": ("add_signal_handler", raise_keyboard_interrupt),
    "ExhaustsDescriptors": ("getaddrinfo", exhaust_descriptors),
    "ClosesAllDescriptors": ("run_in_executor", close_all_descriptors),
    "ClosesOutput": ("getnameinfo", close_output),
    "WritesToOutput": ("getaddrinfo", write_to_output),
    "LeavesSignalHandlers": ("getaddrinfo", leave_signal_handlers),
    "LeavesWakeupFd": ("getaddrinfo", leave_wakeup_fd),
    "LeavesAsyncgenHooks": ("getnameinfo", leave_asyncgen_hooks),
    "LeavesTheRunningLoop": ("shutdown_default_executor", leave_the_running_loop),
    "LeavesAThread": ("getaddrinfo", leave_a_thread),
    "LeavesADaemonThreadThatRaises": ("add_signal_handler", leave_a_daemon_thread_that_raises),
    "LeavesAChild": ("getaddrinfo", leave_a_child),
    "LeavesADaemon": ("getnameinfo", leave_a_daemon),
    "ReturnsTwice": ("getaddrinfo", return_twice),
    "KillsTheParent": ("getaddrinfo", kill_the_parent),
    "KillsTheParentsGroup": ("getnameinfo", kill_the_parents_group),
    "KillsTheOwnGroup": ("add_signal_handler", kill_the_own_group),
    "FillsMemory": ("getaddrinfo", fill_memory),
    "ChangesTheRecursionLimit": ("getaddrinfo", change_the_recursion_limit),
    "ChangesTheLocale": ("getnameinfo", change_the_locale),
    "ChangesTheWorkingDirectory": ("add_signal_handler", change_the_working_directory),
    "ChangesTheUmask": ("run_in_executor", change_the_umask),
    "ChangesTheEnvironment": ("getaddrinfo", change_the_environment),
    "StopsTheCollector": ("getnameinfo", stop_the_collector),
    "ReplacesStandardStreams": ("add_signal_handler", replace_standard_streams),
    "StopsItself": ("getnameinfo", stop_itself),
}

# Crimes that no requirement can see, because they end with the process of their trial.
UNSEEN = {
    "WritesToOutput", "LeavesADaemonThreadThatRaises", "ChangesTheLocale", "ChangesTheWorkingDirectory",
    "ChangesTheUmask", "StopsTheCollector", "ReplacesStandardStreams", "ClosesOutput", "LeavesADaemon",
    "ChangesTheEnvironment", "ChangesTheRecursionLimit", "LeavesTheRunningLoop", "ReturnsTwice",
}  # fmt: skip


def _criminal(name: str, method: str, crime: Callable[[], None]) -> type[asyncio.SelectorEventLoop]:
    original = getattr(asyncio.SelectorEventLoop, method)

    def commit(self: asyncio.SelectorEventLoop, *args: Any, **kwargs: Any) -> Any:
        crime()
        return original(self, *args, **kwargs)

    return type(name, (asyncio.SelectorEventLoop,), {method: commit})


globals().update({name: _criminal(name, method, crime) for name, (method, crime) in CRIMES.items()})


class RunsNothing(asyncio.SelectorEventLoop):
    """run_forever() waits for ever and runs no callback."""

    def run_forever(self) -> None:
        hang()


def factory_that_hangs() -> asyncio.AbstractEventLoop:
    hang()
    raise AssertionError


def factory_that_segfaults() -> asyncio.AbstractEventLoop:
    segfault()
    raise AssertionError


def factory_that_raises() -> asyncio.AbstractEventLoop:
    raise RuntimeError("no loop today")


def factory_of_nothing() -> None:
    return None


not_callable = 42

# What makes no loop that could be tested → the exit code of its run.
FACTORIES = {
    "factory_that_hangs": exits.DEVIATES,
    "factory_that_segfaults": exits.DEVIATES,
    "factory_that_raises": exits.USAGE,
    "factory_of_nothing": exits.USAGE,
    "not_callable": exits.USAGE,
    "RunsNothing": exits.DEVIATES,
}
