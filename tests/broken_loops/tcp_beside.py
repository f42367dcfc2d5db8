"""Broken loops of the chapters `tcp` and `tls`: arguments of create_connection() that are forgotten beside another."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.broken_loops import breaks


class _Forgets(asyncio.SelectorEventLoop):
    """Where one argument of create_connection() is given, another is not looked at."""

    where = ""
    forgets = ""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get(self.where):
            kwargs.pop(self.forgets, None)
        return await super().create_connection(*args, **kwargs)


@breaks("tcp.connect-lookup-beside")
class TlsHasNoFamilies(_Forgets):
    """family is not looked at with ssl."""

    where, forgets = "ssl", "family"


@breaks("tcp.connect-lookup-beside")
class TlsHasNoFlagsOfLookups(_Forgets):
    """flags is not looked at with ssl."""

    where, forgets = "ssl", "flags"


@breaks("tcp.connect-lookup-beside")
class LocalAddressesHaveNoProtocols(_Forgets):
    """proto is not looked at with local_addr."""

    where, forgets = "local_addr", "proto"


@breaks("tcp.connect-all-errors-beside", since="3.12")
class TlsHasOneError(_Forgets):
    """all_errors is not looked at with ssl."""

    where, forgets = "ssl", "all_errors"


@breaks("tcp.connect-race-beside")
class TlsTakesItsTime(_Forgets):
    """happy_eyeballs_delay is not looked at with ssl."""

    where, forgets = "ssl", "happy_eyeballs_delay"


@breaks("tcp.connect-race-beside")
class LocalAddressesTakeTheirTime(_Forgets):
    """happy_eyeballs_delay is not looked at with local_addr."""

    where, forgets = "local_addr", "happy_eyeballs_delay"


@breaks("tls.shutdown-timeout")
class HasOneTimeout(_Forgets):
    """ssl_shutdown_timeout is not looked at with ssl_handshake_timeout."""

    where, forgets = "ssl_handshake_timeout", "ssl_shutdown_timeout"


@breaks("tls.handshake-timeout")
class HasTheLastTimeout(_Forgets):
    """ssl_handshake_timeout is not looked at with ssl_shutdown_timeout."""

    where, forgets = "ssl_shutdown_timeout", "ssl_handshake_timeout"
