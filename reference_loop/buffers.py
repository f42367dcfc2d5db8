"""What may be written, and the pieces of it that wait: for the transports of sockets, of pipes and of TLS."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

Data = bytes | bytearray | memoryview

# How many pieces one system call may take; POSIX guarantees only 16, Linux and macOS have 1024.
PIECES_PER_CALL = 1024


def as_bytes(data: Data) -> Data:
    """`data`, so that len() counts bytes; TypeError for what is not bytes-like."""
    if isinstance(data, memoryview):
        return data if data.nbytes == len(data) and data.contiguous else memoryview(data.tobytes())
    if isinstance(data, (bytes, bytearray)):
        return data
    raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")


def kept(data: Data) -> bytes | memoryview:
    """`data` to keep: bytes by reference, which costs nothing; anything else may change under us and is copied."""
    if isinstance(data, bytes) or (isinstance(data, memoryview) and isinstance(data.obj, bytes)):
        return data
    return bytes(data)


def after(pieces: list[Data], nbytes: int) -> Iterable[Data]:
    """What remains of `pieces` after the first `nbytes` bytes."""
    for piece in pieces:
        if nbytes >= len(piece):
            nbytes -= len(piece)
        else:
            yield memoryview(piece)[nbytes:] if nbytes else piece
            nbytes = 0


def drop_sent(buffer: deque[bytes | memoryview], nbytes: int) -> None:
    """Take the first `nbytes` bytes, which were sent, from a buffer."""
    while nbytes:
        piece = buffer.popleft()
        if len(piece) > nbytes:
            buffer.appendleft(memoryview(piece)[nbytes:])
            return
        nbytes -= len(piece)


def take_chunk(buffer: deque[bytes | memoryview], size: int) -> bytes | memoryview:
    """Take at most `size` bytes from a buffer: a part of a large piece, or many small ones as one."""
    data = buffer.popleft()
    if len(data) > size:
        buffer.appendleft(memoryview(data)[size:])
        return memoryview(data)[:size]
    if not buffer or len(data) + len(buffer[0]) > size:
        return data
    pieces, taken = [data], len(data)
    while buffer and taken + len(buffer[0]) <= size:
        pieces.append(buffer.popleft())
        taken += len(pieces[-1])
    return b"".join(pieces)
