"""One end of a TLS connection between two memory BIOs: plain bytes on one side, records for the peer on the other.

The engine knows nothing of loops, transports and sockets: `feed()` it what the peer has sent, and send the peer what
`take()` returns after each other call. Every method raises `ssl.SSLError` when the connection is beyond repair.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Any

# No record holds more. Asking for more would allocate more, each time (see `streams.py`).
_RECORD_SIZE = 16 * 1024


class TlsEngine:
    """An `ssl.SSLObject` that answers "not yet" by a value instead of an exception."""

    def __init__(self, context: ssl.SSLContext, server_side: bool, server_hostname: str | None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        self.ended = False  # the peer has said that no more data will come
        self._notified = False  # and we have
        self.feed = self._incoming.write
        self.take = self._outgoing.read

    @property
    def pending(self) -> int:
        """Bytes from the peer that nobody has decrypted."""
        return self._incoming.pending

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is complete."""
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def encrypt(self, data: Any) -> int:
        """Make records of `data`; return how much was taken: nothing if the peer has to say something first."""
        try:
            return self.object.write(data)
        except ssl.SSLWantReadError:
            return 0

    def decrypt(self) -> bytes:
        """All data that has arrived; b"" with `ended` set when there will be no more."""
        read = self.object.read
        chunks = []
        try:
            while chunk := read(_RECORD_SIZE):
                chunks.append(chunk)
                # Asking in vain costs an exception: with this test, decrypting one record of 1 KiB takes 0.5 of the
                # time. OpenSSL leaves in the BIO what it cannot use yet, except the beginning of a single record.
                if not self._incoming.pending and not self.object.pending():
                    break
            else:
                self.ended = True
        except ssl.SSLWantReadError:
            pass
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def decrypt_into(self, buffer: Any) -> int:
        """The same into memory, as much as it holds; 0 when nothing has arrived or, with `ended` set, will."""
        view = memoryview(buffer).cast("B")
        size = 0
        try:
            while size < len(view):
                count: Any = self.object.read(len(view) - size, view[size:])
                if not count:
                    self.ended = True
                    break
                size += count
        except ssl.SSLWantReadError:
            pass
        return size

    def shutdown(self) -> bool:
        """Say that no more data will come; True when the peer has said so too. Data that arrives is thrown away."""
        try:
            while not self.ended and self.object.read(_RECORD_SIZE):
                pass
            self.ended = True
        except ssl.SSLZeroReturnError:  # what read() makes of the end once we have said ours
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        if not self._notified:
            self._notified = True
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLSyscallError):  # both: the peer's answer is missing
                self.object.unwrap()
        return self.ended
