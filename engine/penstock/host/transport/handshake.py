"""How two processes prove to each other that they know the same key: no socket, no clock.

A peer sends, before anything of it is interpreted::

    both        MAGIC, version, 32 chance bytes     the client first; compared byte by byte
    client      HMAC-SHA256 of its role, the version and both sides' chance bytes
    host        the same with its role

No length is read from an unknown peer, and no more than 75 bytes in all. Each side is a generator
of (what to send, how many bytes it needs next) that ends once the other has proved itself and
raises `Unproved` at the first wrong byte.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Generator
from hmac import compare_digest

MAGIC = b"\x93Penstock\r\n"  # nothing that speaks in lines of text begins so
VERSION = 1
KEY_BYTES = 32
NONCE_BYTES = 32
PROOF_BYTES = 32

Steps = Generator[tuple[bytes, int], bytes, None]


class Unproved(Exception):
    """The other side doesn't know the key, or is something else altogether."""


def as_host(key: bytes) -> Steps:
    """The side that was connected to. Shows its version, and proves nothing to the unproved."""
    version, theirs = yield from _read_hello(b"")
    ours = secrets.token_bytes(NONCE_BYTES)
    proof = yield _hello(ours), PROOF_BYTES
    if version != VERSION or not compare_digest(proof, _proof(key, b"client", theirs, ours)):
        raise Unproved("authentication failed")
    yield _proof(key, b"host", theirs, ours), 0


def as_client(key: bytes) -> Steps:
    """The side that connects."""
    ours = secrets.token_bytes(NONCE_BYTES)
    version, theirs = yield from _read_hello(_hello(ours))
    if version != VERSION:
        raise Unproved(f"the other side speaks version {version} of the protocol, not {VERSION}")
    proof = yield _proof(key, b"client", ours, theirs), PROOF_BYTES
    if not compare_digest(proof, _proof(key, b"host", ours, theirs)):
        raise Unproved("authentication failed")


def check_key(key: bytes) -> None:
    """Raise ValueError for what can't be a key."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key is {KEY_BYTES} bytes, not {len(key)}")


def _hello(nonce: bytes) -> bytes:
    return MAGIC + bytes([VERSION]) + nonce


def _read_hello(first: bytes) -> Generator[tuple[bytes, int], bytes, tuple[int, bytes]]:
    for expected in MAGIC:
        if (yield first, 1)[0] != expected:
            raise Unproved("what answers is something else")
        first = b""
    version = (yield b"", 1)[0]
    nonce = yield b"", NONCE_BYTES
    return version, nonce


def _proof(key: bytes, role: bytes, client: bytes, host: bytes) -> bytes:
    return hmac.digest(key, role + bytes([VERSION]) + client + host, "sha256")
