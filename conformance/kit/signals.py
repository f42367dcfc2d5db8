"""Signals that a test sends to its own process."""

from __future__ import annotations

import os
import signal
import time


def send(number: int = signal.SIGUSR1) -> None:
    """Send the signal now."""
    os.kill(os.getpid(), number)


def send_later() -> None:
    """Send SIGUSR1 when the caller, another thread, has had time to go to sleep."""
    time.sleep(0.005)
    send()
