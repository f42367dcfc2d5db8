"""Broken loops of the chapter `subprocess`: children whose transports nobody keeps."""

from __future__ import annotations

from typing import Any

from reference_loop import EventLoop
from reference_loop.children import SubprocessTransport
from tests.broken_loops import breaks


class _Forgotten(SubprocessTransport):
    """Frees what it has, and leaves the child alone."""

    def __del__(self, _warn: Any = None) -> None:
        self._forget_pidfd()


@breaks("subprocess.collected-kills")
class LeavesOrphans(EventLoop):
    """A child whose transport is garbage collected goes on."""

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        transport, protocol = await super().subprocess_exec(*args, **kwargs)
        transport.__class__ = _Forgotten
        return transport, protocol
