"""Broken loops of the chapter `tls`: ssl=True and ssl=False, and names that are left out."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from tests.broken_loops import breaks
from tests.broken_loops.subprocess_transport import replaced

Stock = asyncio.SelectorEventLoop


class _Connects(Stock):
    """Changes what create_connection() is asked for."""

    def change(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        pass

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        self.change(args, kwargs)
        return await super().create_connection(protocol_factory, *args, **kwargs)


@breaks("tls.default-context-trusts")
class TrustsNobody(_Connects):
    """ssl=True is a context that has no authorities."""

    def change(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") is True and kwargs.get("server_hostname"):
            kwargs["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@breaks("tls.default-context-trusts")
class TellsTrueForAContext(Stock):
    """The 'sslcontext' of a connection with ssl=True is True."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().create_connection(*args, **kwargs)
        if kwargs.get("ssl") is True:

            def info(info: Any, name: str, default: Any = None) -> Any:
                return True if name == "sslcontext" else info(name, default)

            replaced(transport, "get_extra_info", info)
        return transport, protocol


@breaks("tls.default-context-checks")
class NamesOfDefaultsDoNotMatter(_Connects):
    """ssl=True is a context that verifies certificates, whatever their name."""

    def change(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") is True and kwargs.get("server_hostname"):
            kwargs["ssl"] = ssl.create_default_context()
            kwargs["ssl"].check_hostname = False


@breaks("tls.default-context-checks")
class UnixDefaultsVerifyNothing(Stock):
    """ssl=True for a Unix socket is a context that verifies nothing."""

    async def create_unix_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("ssl") is True:
            kwargs["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            kwargs["ssl"].check_hostname = False
            kwargs["ssl"].verify_mode = ssl.CERT_NONE
        return await super().create_unix_connection(*args, **kwargs)


@breaks("tls.default-context-empty-name")
class EmptyNamesAreHosts(_Connects):
    """With ssl=True an empty name is the host."""

    def change(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") is True and kwargs.get("server_hostname") == "":
            kwargs["ssl"], kwargs["server_hostname"] = ssl.create_default_context(), args[0]


@breaks("tls.false")
class FalseIsADefault(_Connects):
    """ssl=False is a default context."""

    def change(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") is False:
            raise TypeError("ssl must be True, a context or None")


@breaks("tls.hostname-of-empty-host")
class EmptyHostsAreNames(_Connects):
    """An empty host is an empty name."""

    def change(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl") and args and args[0] == "" and kwargs.get("server_hostname") is None:
            raise OSError("no such name")
