"""Broken loops of the chapter `sendfile`: offsets and counts that have the bits of a C integer."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks

Stock = asyncio.SelectorEventLoop


def _cut(offset: Any) -> Any:
    return offset & 0xFFFF_FFFF if isinstance(offset, int) and offset > 0 else offset


@breaks("sendfile.offset")
class CutsOffsetsOfFiles(Stock):
    """Of the offset of sendfile() the low 32 bits are used."""

    async def sendfile(
        self, transport: Any, file: Any, offset: int = 0, count: int | None = None, **kwargs: Any
    ) -> Any:
        return await super().sendfile(transport, file, _cut(offset), count, **kwargs)


@breaks("sendfile.sock-offset")
class CutsOffsetsOverSockets(Stock):
    """Of the offset of sock_sendfile() the low 32 bits are used."""

    async def sock_sendfile(
        self, sock: Any, file: Any, offset: int = 0, count: int | None = None, **kwargs: Any
    ) -> Any:
        return await super().sock_sendfile(sock, file, _cut(offset), count, **kwargs)


@breaks("sendfile.count-beyond")
class CountsInIntegersOfC(Stock):
    """A count of more than 31 bits is an error."""

    async def sendfile(self, transport: Any, file: Any, offset: int = 0, count: Any = None, **kwargs: Any) -> Any:
        if isinstance(count, int) and count >= 1 << 31:
            raise OverflowError("too large for a C int")
        return await super().sendfile(transport, file, offset, count, **kwargs)


class _GoesOn(Stock):
    """Reads by hand from where the file is, wherever `goes_on` says so of the transport, if any, and the file."""

    def goes_on(self, transport: Any, file: Any) -> bool:
        raise NotImplementedError

    async def sendfile(self, transport: Any, file: Any, offset: int = 0, *args: Any, **kwargs: Any) -> Any:
        if not self.goes_on(transport, file):
            file.seek(offset)
        return await super().sendfile(transport, file, offset, *args, **kwargs)

    async def sock_sendfile(self, sock: Any, file: Any, offset: int = 0, *args: Any, **kwargs: Any) -> Any:
        if not self.goes_on(None, file):
            file.seek(offset)
        return await super().sock_sendfile(sock, file, offset, *args, **kwargs)


@breaks("sendfile.fallback-from-the-start")
class FilesOverTlsGoOn(_GoesOn):
    """An offset of 0 means the file's own position, over TLS."""

    def goes_on(self, transport: Any, file: Any) -> bool:
        return transport is not None and transport.get_extra_info("sslcontext") is not None


@breaks("sendfile.fallback-from-the-start")
class MemoryGoesOnOverSockets(_GoesOn):
    """An offset of 0 means the position of what is no file of the system, for sock_sendfile()."""

    def goes_on(self, transport: Any, file: Any) -> bool:
        return transport is None
