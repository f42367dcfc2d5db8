"""Broken loops of the chapter `watchers`: what the system cannot poll."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


@breaks("watchers.regular-files")
class IgnoresRegularFiles(Stock):
    """add_reader() and add_writer() of a regular file do nothing."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> Any:
        if not stat.S_ISREG(os.fstat(fd if isinstance(fd, int) else fd.fileno()).st_mode):
            super().add_reader(fd, callback, *args)

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        if not stat.S_ISREG(os.fstat(fd if isinstance(fd, int) else fd.fileno()).st_mode):
            super().add_writer(fd, callback, *args)


@breaks("watchers.descriptor-zero")
class ZeroIsNoDescriptor(Stock):
    """The descriptor 0 is taken for none, and not watched."""

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> Any:
        return super().add_writer(fd, callback, *args) if fd else None
