"""Broken loops of the chapter `subprocess`: children whose end somebody else has noticed first."""

from __future__ import annotations

import os
from typing import Any

from reference_loop import EventLoop
from reference_loop.children import SubprocessTransport
from tests.broken_loops import breaks


class _Waits(SubprocessTransport):
    """Is told nothing if there is nothing to wait for any more."""

    def _ended(self) -> None:
        try:
            os.waitid(os.P_PID, self.get_pid(), os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            self._forget_pidfd()
        else:
            super()._ended()


@breaks("subprocess.waited-for-by-others")
class WaitsForWhatIsGone(EventLoop):
    """A child whose exit status somebody else has read does not end."""

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def factory() -> Any:
            protocol = protocol_factory()
            made = protocol.connection_made

            def connection_made(transport: Any) -> None:
                transport.__class__ = _Waits
                transport._forget_pidfd()
                transport._watch()
                made(transport)

            protocol.connection_made = connection_made
            return protocol

        return await super().subprocess_exec(factory, *args, **kwargs)
