"""Signals that a test sends to its own process."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

from conformance.kit.patience import Patience


def send(number: int = signal.SIGUSR1) -> None:
    """Send the signal now."""
    os.kill(os.getpid(), number)


def send_later() -> None:
    """Send SIGUSR1 when the caller, another thread, has had time to go to sleep."""
    time.sleep(0.005)
    send()


def interrupt(loop: asyncio.AbstractEventLoop, patience: Patience, number: int) -> None:
    """Send a signal to the main thread, and no other, when the loop runs there and has had time to go to sleep."""
    patience.until(loop.is_running, "the run of the loop")
    time.sleep(0.005)
    signal.pthread_kill(threading.main_thread().ident or 0, number)
