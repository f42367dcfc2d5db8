"""Factories of loops that live in another loop's house: Qt's, GLib's and Trio's.

A factory takes no arguments, and these loops need an application, a binding or a policy first. Nothing else is done
here: what the battery sees is the loop of the package, as its documentation says to make it.
"""

from __future__ import annotations

import asyncio
import os


def qt() -> asyncio.AbstractEventLoop:
    """qasync's, over PySide6, in an application without windows."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import qasync  # type: ignore[import-not-found, unused-ignore]
    from PySide6.QtCore import QCoreApplication  # type: ignore[import-not-found, unused-ignore]

    loop: asyncio.AbstractEventLoop = qasync.QEventLoop(QCoreApplication.instance() or QCoreApplication([]))
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
