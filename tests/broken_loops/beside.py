"""A base for loops that do not look at one argument of a network method where another is given."""

from __future__ import annotations

import asyncio
from typing import Any


class Forgets(asyncio.SelectorEventLoop):
    """Where the argument `where` is given and true, `forgets` is as if it were not.

    What is odd may be something else: see `is_odd`.
    """

    where = ""
    forgets = ""

    def is_odd(self, given: dict[str, Any]) -> bool:
        return bool(given.get(self.where))

    def kept(self, given: dict[str, Any]) -> dict[str, Any]:
        """What is looked at of the arguments."""
        return {name: value for name, value in given.items() if name != self.forgets or not self.is_odd(given)}

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        return await super().create_connection(protocol_factory, host, port, **self.kept(how))

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **how: Any) -> Any:
        return await super().create_server(protocol_factory, port=port, **self.kept({"host": host, **how}))

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **how: Any
    ) -> Any:
        given = {"local_addr": local_addr, "remote_addr": remote_addr, **how}
        return await super().create_datagram_endpoint(protocol_factory, **self.kept(given))
