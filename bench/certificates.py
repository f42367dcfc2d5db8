"""A certificate authority and a certificate for localhost, made by trustme once per race.

Made by the race, not by a worker: the interpreter that a loop lives in need not have trustme, and all arms
shake hands with the same key.
"""

from __future__ import annotations

import ssl
from pathlib import Path

AUTHORITY, CHAIN = "authority.pem", "server.pem"


def make(directory: Path) -> None:
    """Write both files."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / AUTHORITY))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(directory / CHAIN))


def server_context(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / CHAIN)
    return context
