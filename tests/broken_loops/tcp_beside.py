"""Broken loops of the chapters `tcp` and `tls`: arguments of create_connection() that are forgotten beside another."""

from __future__ import annotations

from tests.broken_loops import breaks
from tests.broken_loops.beside import Forgets


@breaks("tcp.connect-lookup-beside")
class TlsHasNoFamilies(Forgets):
    """family is not looked at with ssl."""

    where, forgets = "ssl", "family"


@breaks("tcp.connect-lookup-beside")
class TlsHasNoFlagsOfLookups(Forgets):
    """flags is not looked at with ssl."""

    where, forgets = "ssl", "flags"


@breaks("tcp.connect-lookup-beside")
class LocalAddressesHaveNoProtocols(Forgets):
    """proto is not looked at with local_addr."""

    where, forgets = "local_addr", "proto"


@breaks("tcp.connect-all-errors-beside", since="3.12")
class TlsHasOneError(Forgets):
    """all_errors is not looked at with ssl."""

    where, forgets = "ssl", "all_errors"


@breaks("tcp.connect-race-beside")
class TlsTakesItsTime(Forgets):
    """happy_eyeballs_delay is not looked at with ssl."""

    where, forgets = "ssl", "happy_eyeballs_delay"


@breaks("tcp.connect-race-beside")
class LocalAddressesTakeTheirTime(Forgets):
    """happy_eyeballs_delay is not looked at with local_addr."""

    where, forgets = "local_addr", "happy_eyeballs_delay"


@breaks("tls.shutdown-timeout")
class HasOneTimeout(Forgets):
    """ssl_shutdown_timeout is not looked at with ssl_handshake_timeout."""

    where, forgets = "ssl_handshake_timeout", "ssl_shutdown_timeout"


@breaks("tls.handshake-timeout")
class HasTheLastTimeout(Forgets):
    """ssl_handshake_timeout is not looked at with ssl_shutdown_timeout."""

    where, forgets = "ssl_shutdown_timeout", "ssl_handshake_timeout"
