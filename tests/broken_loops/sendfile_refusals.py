"""Broken loops of the chapter `sendfile`: what cannot be sent, and without the fallback."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Asked(Stock):
    """Changes what sendfile() and sock_sendfile() are asked for, and what they raise."""

    def asked(self, where: Any, file: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        pass

    def failed(self, error: Exception) -> Exception:
        return error

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        given = list(args)
        self.asked(transport, file, given, kwargs)
        try:
            return await super().sendfile(transport, file, *given, **kwargs)
        except Exception as error:
            raise self.failed(error) from None


class _AskedSockets(Stock):
    """The same for sock_sendfile(), if it is not sendfile() that calls it."""

    def asked(self, where: Any, file: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        pass

    def failed(self, error: Exception) -> Exception:
        return error

    inside = False

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        self.inside = True
        try:
            return await super().sendfile(transport, file, *args, **kwargs)
        finally:
            self.inside = False

    async def sock_sendfile(self, sock: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        if self.inside:
            return await super().sock_sendfile(sock, file, *args, **kwargs)
        given = list(args)
        self.asked(sock, file, given, kwargs)
        try:
            return await super().sock_sendfile(sock, file, *given, **kwargs)
        except Exception as error:
            raise self.failed(error) from None


def is_tls(transport: Any) -> bool:
    return transport.get_extra_info("sslcontext") is not None


@breaks("sendfile.memory")
class WantsADescriptor(_Asked):
    """What has no descriptor is refused."""

    def asked(self, where: Any, file: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not hasattr(file, "name"):
            raise TypeError("file must be a regular file object")


@breaks("sendfile.not-available")
class AlwaysFallsBack(_Asked):
    """fallback=False is ignored for what has no descriptor."""

    def asked(self, where: Any, file: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not hasattr(file, "name"):
            kwargs.pop("fallback", None)


@breaks("sendfile.sock-not-available")
class SocketsAlwaysFallBack(_AskedSockets):
    """fallback=False is ignored for what has no descriptor."""

    def asked(self, where: Any, file: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not hasattr(file, "name"):
            kwargs.pop("fallback", None)


@breaks("sendfile.native")
class HasNoSystemCall(_Asked):
    """Without fallback nothing can be sent."""

    def asked(self, where: Any, file: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not kwargs.get("fallback", True) and not args and file.seek(0, 2) < 10_000:
            raise asyncio.SendfileNotAvailableError("read it")


@breaks("sendfile.sock-native")
class SocketsHaveNoSystemCall(_AskedSockets):
    """Without fallback nothing can be sent."""

    def asked(self, where: Any, file: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not kwargs.get("fallback", True):
            raise asyncio.SendfileNotAvailableError("read it")


@breaks("sendfile.tls-not-available")
class TlsAlwaysFallsBack(_Asked):
    """fallback=False is ignored for TLS."""

    def asked(self, where: Any, file: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
        if is_tls(where):
            kwargs.pop("fallback", None)


@breaks("sendfile.closing")
class SendsFilesToNobody(Stock):
    """A file that is sent on a closing transport counts as sent."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        if transport.is_closing():
            return 0
        return await super().sendfile(transport, file, *args, **kwargs)


@breaks("sendfile.transport-type")
class PipesHaveNoAttribute(Stock):
    """Another transport than that of a socket is an AttributeError."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        if transport.get_extra_info("pipe") is not None:
            raise AttributeError("socket")
        return await super().sendfile(transport, file, *args, **kwargs)


@breaks("sendfile.text")
class SendsText(Stock):
    """A text file is sent as its bytes happen to be."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().sendfile(transport, getattr(file, "buffer", file), *args, **kwargs)


@breaks("sendfile.sock-text")
class SendsTextOverSockets(Stock):
    """A text file is sent by sock_sendfile() as its bytes happen to be."""

    async def sock_sendfile(self, sock: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().sock_sendfile(sock, getattr(file, "buffer", file), *args, **kwargs)


def _no_less_than_none(offset: Any, count: Any) -> tuple[Any, Any]:
    return max(offset, 0), count if not isinstance(count, int) or count > 0 else None


@breaks("sendfile.numbers")
class TakesAnyNumber(Stock):
    """An offset below zero is zero, and a count below one is none."""

    async def sendfile(self, transport: Any, file: Any, offset: Any = 0, count: Any = None, **kwargs: Any) -> Any:
        return await super().sendfile(transport, file, *_no_less_than_none(offset, count), **kwargs)


@breaks("sendfile.sock-numbers")
class TakesAnyNumberForSockets(Stock):
    """An offset below zero is zero, and a count below one is none, for sock_sendfile()."""

    async def sock_sendfile(self, sock: Any, file: Any, offset: Any = 0, count: Any = None, **kwargs: Any) -> Any:
        return await super().sock_sendfile(sock, file, *_no_less_than_none(offset, count), **kwargs)


@breaks("sendfile.lost")
class AbortedFilesAreCancelled(Stock):
    """A transport that is aborted ends sendfile() with EOFError."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().sendfile(transport, file, *args, **kwargs)
        except ConnectionError:
            if transport.get_extra_info("sslcontext") is None and not hasattr(file, "name") and not args:
                raise EOFError from None
            raise


@breaks("sendfile.write-meanwhile")
class WritesIntoFiles(Stock):
    """What is written while a file is sent is kept for later."""

    async def sendfile(self, transport: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        later: list[bytes] = []

        def write(write: Any, data: Any) -> None:
            try:
                write(data)
            except RuntimeError:
                later.append(bytes(data))

        replaced(transport, "write", write)
        return await super().sendfile(transport, file, *args, **kwargs)
