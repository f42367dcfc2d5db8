"""Looking at child processes without waiting for them: their status stays for whoever started them.

That is os.waitid(), which Python has on macOS from 3.13 on (gh-113536); before, the C library is asked.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

# Where the module `os` lacks the function it may lack the names along with it.
_P_ALL = 0
_P_PID = 1
_WNOWAIT = getattr(os, "WNOWAIT", 0x20 if sys.platform == "darwin" else 0x1000000)
_WEXITED = getattr(os, "WEXITED", 4)
_SIGINFO = 128
"""Bytes: as large as any system's siginfo_t."""


def any_child() -> bool:
    """Whether this process has a child, running or not waited for."""
    try:
        _waitid(_P_ALL, 0, _WEXITED | os.WNOHANG | _WNOWAIT)
    except ChildProcessError:
        return False
    return True


def until_ended(pid: int) -> None:
    """Block until the child `pid` has ended. Raises ChildProcessError where there is none, or not any more."""
    _waitid(_P_PID, pid, _WEXITED | _WNOWAIT)


def _waitid(kind: int, number: int, options: int) -> None:
    if hasattr(os, "waitid"):
        os.waitid(kind, number, options)
        return
    # use_errno, and a function object of our own: its types are nobody else's.
    waitid = ctypes.CDLL(None, use_errno=True).waitid
    waitid.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_char_p, ctypes.c_int)
    while waitid(kind, number, ctypes.create_string_buffer(_SIGINFO), options):
        if (error := ctypes.get_errno()) != errno.EINTR:
            raise OSError(error, os.strerror(error))  # ECHILD makes it a ChildProcessError
