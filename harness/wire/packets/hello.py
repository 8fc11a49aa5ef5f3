"""Parses ClientHello and ServerHello messages, and the client's JA4.  Raises ``ValueError`` for what is none."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from hashlib import sha256

from harness.model.connection import ClientHello, KeyShare, ServerHello
from harness.wire.packets.names import CIPHERS, GROUPS, HASH_SIZES, VERSIONS, is_grease, named

_SNI, _GROUPS, _SIGNATURES, _ALPN, _TICKET, _PSK, _EARLY, _VERSIONS, _POST_AUTH, _SHARES, _ECH = (
    0, 10, 13, 16, 35, 41, 42, 43, 49, 51, 0xFE0D,
)  # fmt: skip
# The random of a ServerHello that is a HelloRetryRequest (RFC 8446, 4.1.3).
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_KINDS_KEPT = 512
_TWO_NUMBERS = struct.Struct("!HH").unpack_from
_JA4_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}


class Cursor:
    """Reads from *data*; raises ``ValueError`` where it is too short."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """The next *size* bytes."""
        end = self.at + size
        if end > len(self.data):
            raise ValueError("too short")
        part, self.at = self.data[self.at : end], end
        return part

    def number(self, size: int) -> int:
        """The next *size* bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> Cursor:
        """A part whose length stands in *size* bytes before it."""
        return Cursor(self.take(self.number(size)))

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self.at < len(self.data)


def client_hello(body: bytes) -> ClientHello:
    """The ClientHello whose message body is *body*."""
    cursor = Cursor(body)
    legacy, random = cursor.take(2), cursor.take(32)
    session, ciphers = cursor.vector(1).data, cursor.vector(2).data
    cursor.vector(1)
    extensions = _extensions(cursor)
    versions = Cursor(extensions[_VERSIONS]).vector(1).data if _VERSIONS in extensions else legacy
    alpn = _alpn(extensions)
    return ClientHello(
        random=random.hex(),
        session_id=session.hex(),
        versions=_named(_Table.VERSIONS, versions),
        ciphers=_named(_Table.CIPHERS, ciphers),
        groups=_named(_Table.GROUPS, _list(extensions, _GROUPS)),
        key_shares=tuple(_shares(extensions)),
        server_name=_server_name(extensions),
        alpn=tuple(_text(name) for name in alpn),
        ja4=_ja4(
            versions if _numbers(versions) else legacy,
            ciphers,
            tuple(extensions),
            _list(extensions, _SIGNATURES),
            alpn[0] if alpn else b"",
        ),
        sha256=sha256(body).hexdigest(),
        early_data=_EARLY in extensions,
        offers_resumption=_PSK in extensions or bool(extensions.get(_TICKET)),
        post_handshake_auth=_POST_AUTH in extensions,
        encrypted_client_hello=_ECH in extensions,
    )


def server_hello(body: bytes) -> ServerHello:
    """The ServerHello (or HelloRetryRequest) whose message body is *body*."""
    cursor = Cursor(body)
    version, random = cursor.number(2), cursor.take(32)
    session, cipher = cursor.vector(1).data, cursor.number(2)
    cursor.take(1)
    extensions = _extensions(cursor)
    if len(extensions.get(_VERSIONS, b"")) == 2:
        version = int.from_bytes(extensions[_VERSIONS], "big")
    share = extensions.get(_SHARES, b"")[:2]
    alpn = _alpn(extensions)
    return ServerHello(
        random=random.hex(),
        version=named(VERSIONS, version),
        cipher=named(CIPHERS, cipher),
        group=named(GROUPS, int.from_bytes(share, "big")) if len(share) == 2 else "",
        session_id=session.hex(),
        alpn=_text(alpn[0]) if alpn else "",
        resumes=_PSK in extensions,
        retry=random == _RETRY,
        hash_size=HASH_SIZES.get(cipher, 0),
    )


class _Table(Enum):
    """Tables of names, to tell them apart where names are kept."""

    VERSIONS, CIPHERS, GROUPS = VERSIONS, CIPHERS, GROUPS


# Clients of one kind offer the same lists again and again: what a list means is worked out once.
@lru_cache(_KINDS_KEPT)
def _numbers(data: bytes) -> tuple[int, ...]:
    """The numbers of two bytes in *data*, but those that mean nothing."""
    numbers = (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2))
    return tuple(number for number in numbers if not is_grease(number))


@lru_cache(_KINDS_KEPT)
def _named(table: _Table, data: bytes) -> tuple[str, ...]:
    return tuple(named(table.value, number) for number in _numbers(data))


def _list(extensions: Mapping[int, bytes], kind: int) -> bytes:
    return Cursor(extensions[kind]).vector(2).data if kind in extensions else b""


def _extensions(cursor: Cursor) -> dict[int, bytes]:
    if not cursor.more:
        return {}
    found, block, at = dict[int, bytes](), cursor.vector(2).data, 0
    while at < len(block):
        if at + 4 > len(block):
            raise ValueError("too short")
        kind, size = _TWO_NUMBERS(block, at)
        at += 4 + size
        if at > len(block):
            raise ValueError("too short")
        found.setdefault(kind, block[at - size : at])
    return found


def _server_name(extensions: Mapping[int, bytes]) -> str:
    if _SNI not in extensions:
        return ""
    names = Cursor(extensions[_SNI]).vector(2)
    return _text(names.vector(2).data) if names.number(1) == 0 else ""


def _alpn(extensions: Mapping[int, bytes]) -> list[bytes]:
    if _ALPN not in extensions:
        return []
    names, found = Cursor(extensions[_ALPN]).vector(2), []
    while names.more:
        found.append(names.vector(1).data)
    return found


def _shares(extensions: Mapping[int, bytes]) -> Iterator[KeyShare]:
    if _SHARES not in extensions:
        return
    shares = Cursor(extensions[_SHARES]).vector(2)
    while shares.more:
        group, value = shares.number(2), shares.vector(2).data
        if not is_grease(group):
            yield KeyShare(named(GROUPS, group), sha256(value).hexdigest())


def _text(value: bytes) -> str:
    return value.decode("ascii", "backslashreplace")


@lru_cache(_KINDS_KEPT)
def _ja4(versions: bytes, ciphers: bytes, extensions: tuple[int, ...], signatures: bytes, alpn: bytes) -> str:
    """JA4 (FoxIO, technical details of JA4): counts in the clear, sorted lists as digests; GREASE does not count."""
    suites = _numbers(ciphers)
    kinds = [number for number in extensions if not is_grease(number)]
    listed = sorted(f"{number:04x}" for number in kinds if number not in (_SNI, _ALPN))
    extended = "_".join(filter(None, (",".join(listed), ",".join(f"{number:04x}" for number in _numbers(signatures)))))
    head = (
        f"t{_JA4_VERSIONS.get(max(_numbers(versions), default=0), '00')}{'d' if _SNI in extensions else 'i'}"
        f"{min(len(suites), 99):02}{min(len(kinds), 99):02}{_ja4_alpn(alpn)}"
    )
    return f"{head}_{_short(','.join(sorted(f'{number:04x}' for number in suites)))}_{_short(extended)}"


def _ja4_alpn(first: bytes) -> str:
    if not first:
        return "00"
    ends = first[:1] + first[-1:]
    return ends.decode() if ends.isalnum() else first.hex()[0] + first.hex()[-1]


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12] if text else "0" * 12
