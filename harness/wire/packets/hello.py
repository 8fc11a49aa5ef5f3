"""Parses ClientHello and ServerHello messages, and the client's JA4.  Raises ``ValueError`` for what is none."""

from __future__ import annotations

import struct
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from harness.model.connection import ClientHello, KeyShare, ServerHello
from harness.wire.packets.names import CIPHERS, GROUPS, HASH_SIZES, VERSIONS, is_grease, named

_SNI, _GROUPS, _SIGNATURES, _ALPN, _TICKET, _PSK, _EARLY, _VERSIONS, _POST_AUTH, _SHARES, _ECH = (
    0, 10, 13, 16, 35, 41, 42, 43, 49, 51, 0xFE0D,
)  # fmt: skip
# The random of a ServerHello that is a HelloRetryRequest (RFC 8446, 4.1.3).
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_KINDS_KEPT = 512
_NUMBER = struct.Struct("!H").unpack_from
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
    session, at = _vector(body, 34, 1)
    ciphers, at = _vector(body, at, 2)
    _, at = _vector(body, at, 1)
    extensions = _extensions(body, at)
    versions, groups, signatures, alpn, name = map(extensions.get, (_VERSIONS, _GROUPS, _SIGNATURES, _ALPN, _SNI))
    kind = _kind(body[:2], ciphers, tuple(extensions), versions, groups, signatures, alpn, name)
    return ClientHello(
        random=body[2:34].hex(),
        session_id=session.hex(),
        versions=kind.versions,
        ciphers=kind.ciphers,
        groups=kind.groups,
        key_shares=_shares(extensions[_SHARES]) if _SHARES in extensions else (),
        server_name=kind.server_name,
        alpn=kind.alpn,
        ja4=kind.ja4,
        sha256=sha256(body).hexdigest(),
        early_data=_EARLY in extensions,
        offers_resumption=_PSK in extensions or bool(extensions.get(_TICKET)),
        post_handshake_auth=_POST_AUTH in extensions,
        encrypted_client_hello=_ECH in extensions,
    )


def server_hello(body: bytes) -> ServerHello:
    """The ServerHello (or HelloRetryRequest) whose message body is *body*."""
    session, at = _vector(body, 34, 1)
    if at + 3 > len(body):
        raise ValueError("too short")
    version, cipher = _NUMBER(body)[0], _NUMBER(body, at)[0]
    extensions = _extensions(body, at + 3)
    if len(extensions.get(_VERSIONS, b"")) == 2:
        version = int.from_bytes(extensions[_VERSIONS], "big")
    share = extensions.get(_SHARES, b"")[:2]
    alpn = _alpn(extensions.get(_ALPN))
    random = body[2:34]
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


class _Kind(NamedTuple):
    """What a ClientHello says of the client rather than of this connection."""

    versions: tuple[str, ...]
    ciphers: tuple[str, ...]
    groups: tuple[str, ...]
    server_name: str
    alpn: tuple[str, ...]
    ja4: str


# Clients of one kind offer the same lists again and again: what they mean is worked out once.
@lru_cache(_KINDS_KEPT)
def _kind(
    legacy: bytes,
    ciphers: bytes,
    extensions: tuple[int, ...],
    versions: bytes | None,
    groups: bytes | None,
    signatures: bytes | None,
    alpn: bytes | None,
    name: bytes | None,
) -> _Kind:
    offered = legacy if versions is None else _vector(versions, 0, 1)[0]
    protocols = _alpn(alpn)
    first = protocols[0] if protocols else b""
    return _Kind(
        versions=_named(_Table.VERSIONS, offered),
        ciphers=_named(_Table.CIPHERS, ciphers),
        groups=_named(_Table.GROUPS, _list(groups)),
        server_name=_server_name(name),
        alpn=tuple(_text(protocol) for protocol in protocols),
        ja4=_ja4(offered if _numbers(offered) else legacy, ciphers, extensions, _list(signatures), first),
    )


def _vector(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """The part of *data* whose length stands in *size* bytes at *at*, and where it ends; raises ``ValueError``."""
    begin = at + size
    end = begin + int.from_bytes(data[at:begin], "big")
    if end > len(data):
        raise ValueError("too short")
    return data[begin:end], end


class _Table(Enum):
    """Tables of names, to tell them apart where names are kept."""

    VERSIONS, CIPHERS, GROUPS = VERSIONS, CIPHERS, GROUPS


@lru_cache(_KINDS_KEPT)
def _numbers(data: bytes) -> tuple[int, ...]:
    """The numbers of two bytes in *data*, but those that mean nothing."""
    numbers = (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2))
    return tuple(number for number in numbers if not is_grease(number))


@lru_cache(_KINDS_KEPT)
def _named(table: _Table, data: bytes) -> tuple[str, ...]:
    return tuple(named(table.value, number) for number in _numbers(data))


def _list(value: bytes | None) -> bytes:
    return b"" if value is None else _vector(value, 0, 2)[0]


def _extensions(body: bytes, at: int) -> dict[int, bytes]:
    found = dict[int, bytes]()
    if at >= len(body):
        return found
    _, end = _vector(body, at, 2)
    at += 2
    while at < end:
        if at + 4 > end:
            raise ValueError("too short")
        kind, size = _TWO_NUMBERS(body, at)
        at += 4 + size
        if at > end:
            raise ValueError("too short")
        if kind not in found:
            found[kind] = body[at - size : at]
    return found


def _server_name(value: bytes | None) -> str:
    if value is None:
        return ""
    names = Cursor(value).vector(2)
    return _text(names.vector(2).data) if names.number(1) == 0 else ""


@lru_cache(_KINDS_KEPT)
def _alpn(value: bytes | None) -> tuple[bytes, ...]:
    if value is None:
        return ()
    names, found = Cursor(value).vector(2), []
    while names.more:
        found.append(names.vector(1).data)
    return tuple(found)


def _shares(value: bytes) -> tuple[KeyShare, ...]:
    shares, _ = _vector(value, 0, 2)
    found, at = list[KeyShare](), 0
    while at < len(shares):
        public, end = _vector(shares, at + 2, 2)
        group = _NUMBER(shares, at)[0]
        at = end
        if not is_grease(group):
            found.append(KeyShare(named(GROUPS, group), sha256(public).hexdigest()))
    return tuple(found)


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
