"""What the system's resolver answers, as a test says it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

Info = tuple[int, int, int, str, Any]


def info_of(listening: socket.socket) -> Info:
    """What a resolver says of a listener."""
    return listening.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", listening.getsockname()


@contextlib.contextmanager
def resolved_to(monkeypatch: pytest.MonkeyPatch, infos: Sequence[Info], host: str = "localhost") -> Iterator[list[int]]:
    """Let socket.getaddrinfo() answer with `infos` for `host`; counts how often it was asked."""
    asked: list[int] = []
    real = socket.getaddrinfo

    def answers(given: Any, *args: Any, **kwargs: Any) -> Any:
        if given != host:
            return real(given, *args, **kwargs)
        asked.append(1)
        return list(infos)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", answers)
        yield asked


@contextlib.contextmanager
def unless_elsewhere(asked: list[int]) -> Iterator[None]:
    """Skip the test if the block fails to find an address without having asked: the loop's resolver is another."""
    try:
        yield
    except OSError:
        if asked:
            raise
        pytest.skip("the loop has a resolver of its own, which cannot be told what to answer")
