"""A PROXY protocol header before what the client sends."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

from harness.model.connection import Connection, Content, Seen
from harness.tests.wire.packets import talk
from harness.tests.wire.packets.conftest import V12, V13

One = Callable[..., Connection]
Contexts = Callable[..., tuple[ssl.SSLContext, ssl.SSLContext]]
FRAMES = talk.Frames()
HEADERS = [b"PROXY TCP4 10.0.0.9 10.0.0.2 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12)]


@pytest.mark.parametrize("header", HEADERS)
def test_a_proxy_header_is_stepped_over(one: One, contexts: Contexts, header: bytes) -> None:
    turns = talk.Talk(*contexts(V13)).run()
    found = one(talk.Frames(mss=11).all([(True, header), *turns]))
    assert found.proxy_header and found.hello is not None and found.certificate_sent.seen is Seen.NO


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("version", [V12, V13])
def test_a_proxy_header_without_a_syn(
    one: One, contexts: Contexts, header: bytes, alone: bool, version: ssl.TLSVersion
) -> None:
    turns = talk.Talk(*contexts(version, talk.identity("client"), ssl.CERT_REQUIRED)).run()
    opened = [(True, header), *turns] if alone else [(True, header + turns[0][1]), *turns[1:]]
    packets = FRAMES.all(opened)
    whole, found = one(packets), one(packets[3:])
    assert found.proxy_header and not found.opening_captured
    assert (found.hello, found.answer, found.client_chain) == (whole.hello, whole.answer, whole.client_chain)
    assert found.certificate_sent == whole.certificate_sent and found.certificate_sent.seen is Seen.YES


@pytest.mark.parametrize("header", HEADERS)
def test_a_token_behind_a_proxy_header_without_a_syn(one: One, header: bytes) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer e30.e30.c2ln\r\n\r\n"
    found = one(FRAMES.all([(True, header + request)])[3:])
    assert found.proxy_header and [item.scheme for item in found.requests] == ["bearer"]


def test_a_damaged_proxy_header_without_a_syn_is_none(one: One) -> None:
    for data in (HEADERS[1][:14], HEADERS[1][:20], b"PROXY is a word\r\n", b"PROXY TCP4 10.0.0.9"):
        found = one(FRAMES.all([(True, data)])[3:])
        assert not found.proxy_header and found.content is Content.UNKNOWN
