"""What an xdist worker runs in another interpreter: xdist's own worker, with that interpreter's own sys.path.

xdist gives every `popen` worker a copy of the controller's sys.path, which is right for the same Python and fatal
for another (`--tx popen//python=python3.13`). The text of this module is sent to the worker and executed there, so
it imports nothing of this package.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any


class _OwnPathChannel:
    """xdist's channel, except that a worker of another Python is told to keep its own sys.path."""

    def __init__(self, channel: Any, path: list[str]) -> None:
        self._channel = channel
        self._path = path

    def receive(self) -> Any:
        worker_input, arguments, options, path = self._channel.receive()
        if path is not None and sys.version_info[:2] != tuple(worker_input["controller_python"]):
            path = self._path
        return worker_input, arguments, options, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


if __name__ == "__channelexec__":
    _path = list(sys.path)
    # Found without importing the package: pytest must be first to import it, so that it can rewrite its asserts.
    _spec = importlib.util.find_spec("xdist")
    assert _spec is not None
    assert _spec.origin is not None
    _source = Path(_spec.origin).with_name("remote.py")
    # execnet leaves `channel` in the namespace of what it executes; xdist's worker looks for it there.
    _channel = _OwnPathChannel(globals()["channel"], _path)
    _namespace = {"__name__": "__channelexec__", "__file__": str(_source), "channel": _channel}
    exec(compile(_source.read_text(encoding="utf-8"), str(_source), "exec"), _namespace)
