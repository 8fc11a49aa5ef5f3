"""Conversations that many tests read back."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.model.connection import Connection
from harness.pki.issue import Identity
from harness.tests.wire.packets import talk
from harness.wire.packets.reader import read
from harness.wire.packets.table import Reading

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def reads(tmp_path: Path) -> Callable[..., Reading]:
    """Reads a capture's bytes."""

    def reading(data: bytes, **limits: int) -> Reading:
        file = tmp_path / "test.pcap"
        file.write_bytes(data)
        return read([str(file)], **limits)

    return reading


@pytest.fixture
def one(reads: Callable[..., Reading]) -> Callable[..., Connection]:
    """The only connection in some IP packets."""

    def connection(packets: Sequence[bytes], **how: Any) -> Connection:
        found = reads(talk.pcap(packets, link=101, **how)).connections
        assert len(found) == 1
        return found[0]

    return connection


@pytest.fixture
def contexts(tmp_path: Path) -> Callable[..., tuple[ssl.SSLContext, ssl.SSLContext]]:
    """A client's and a server's context of one TLS version."""

    def made(
        version: ssl.TLSVersion, client: Identity | None = None, ask: ssl.VerifyMode = ssl.CERT_NONE
    ) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        one, other = talk.context(tmp_path, client, False), talk.context(tmp_path, talk.identity("server"), True)
        one.maximum_version = version
        other.verify_mode = ask
        return one, other

    return made
