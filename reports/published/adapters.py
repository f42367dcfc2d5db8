"""Factories of loops that live in another loop's house: Qt's, GLib's and Trio's.

A factory takes no arguments, and these loops need an application, a binding or a policy first. Nothing else is done
here: what the battery sees is the loop of the package, as its documentation says to make it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import Any


def qt() -> asyncio.AbstractEventLoop:
    """qasync's, over PySide6."""
    import qasync  # type: ignore[import-not-found, unused-ignore]

    loop: asyncio.AbstractEventLoop = qasync.QEventLoop(_application("PySide6"))
    return loop


def qt_itself() -> asyncio.AbstractEventLoop:
    """QtAsyncio's, which is Qt's own and part of PySide6."""
    from PySide6.QtAsyncio import QAsyncioEventLoop  # type: ignore[import-not-found, unused-ignore]

    loop: asyncio.AbstractEventLoop = QAsyncioEventLoop(_application("PySide6"))
    return loop


def qt_between() -> asyncio.AbstractEventLoop:
    """qtinter's, over PySide6: asyncio's own loop, run by Qt's."""
    _application("PySide6")
    import qtinter  # type: ignore[import-not-found, unused-ignore]

    loop: asyncio.AbstractEventLoop = qtinter.QiDefaultEventLoop()
    return loop


def older_qt() -> asyncio.AbstractEventLoop:
    """asyncqt's, over PyQt5."""
    application = _application("PyQt5")
    import asyncqt  # type: ignore[import-not-found, unused-ignore]

    loop: asyncio.AbstractEventLoop = asyncqt.QEventLoop(application)
    return loop


def oldest_qt() -> asyncio.AbstractEventLoop:
    """quamash's, over PyQt5."""
    application = _application("PyQt5")
    import quamash  # type: ignore[import-not-found, unused-ignore]

    loop: asyncio.AbstractEventLoop = quamash.QEventLoop(application)
    return loop


def glib() -> asyncio.AbstractEventLoop:
    """gbulb's, over the main loop of GLib."""
    import gbulb  # type: ignore[import-not-found, unused-ignore]

    loop: asyncio.AbstractEventLoop = gbulb.GLibEventLoop()
    return loop


def trio() -> asyncio.AbstractEventLoop:
    """trio-asyncio's for programs that do not run Trio: once it is imported, asyncio makes no other."""
    import trio_asyncio  # type: ignore[import-not-found, unused-ignore]  # noqa: F401 (for what its import does)

    return asyncio.new_event_loop()


def uring() -> asyncio.AbstractEventLoop:
    """uringloop's, which is had from its policy."""
    import uringloop  # type: ignore[import-not-found, unused-ignore]

    loop: asyncio.AbstractEventLoop = uringloop.IouringProactorEventLoopPolicy().new_event_loop()
    return loop


def _application(binding: str) -> Any:
    """Qt's application without windows, which stays for as long as the process."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    core = importlib.import_module(f"{binding}.QtCore").QCoreApplication
    _kept.append(core.instance() or core([]))
    return _kept[-1]


_kept: list[Any] = []
