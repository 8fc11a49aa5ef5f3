"""The client: what it sends, what it reports of answers, of alerts, and of servers it cannot trust."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

from harness.decode.certificates import view
from harness.pki.deployment import Pki
from harness.tests.wire import servers
from harness.tests.wire.servers import OK, REQUEST, Server, answer, client_context, server_context, to
from harness.wire import send
from harness.wire.send import MAX_ANSWER_BYTES, prepare
from harness.wire.upgrade import KEPT_BODY_CHARACTERS

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


# What is sent and what comes back


def test_a_request_is_serialised_as_given() -> None:
    made = prepare("POST", "/a?b=%20", (("hOST", b"x"), ("X", b" a\xff"), ("X", b"")), b"\x00body")
    assert made.head == b"POST /a?b=%20 HTTP/1.1\r\nhOST: x\r\nX:  a\xff\r\nX: \r\n\r\n"
    assert made.body == b"\x00body"
    assert made.authorization is None and made.authorization_sha256 == ""


def test_what_is_digested_of_authorization() -> None:
    assert REQUEST.authorization_sha256 == hashlib.sha256(b"Bearer a.b.c").hexdigest()
    twice = prepare("GET", "/", (("authorization", b"Bearer a"), ("Authorization", b"Bearer b")), b"")
    assert twice.authorization == b"Bearer a, Bearer b"
    assert prepare("GET", "/", (("Authorization", b""),), b"").authorization_sha256 == hashlib.sha256(b"").hexdigest()
    padded = prepare("GET", "/", (("Authorization", b" Bearer \t"),), b"")
    assert padded.authorization == b"Bearer" and padded.head.endswith(b"Authorization:  Bearer \t\r\n\r\n")


def test_an_answer(pki: Pki, tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    observed: list[bytes] = []
    finished: list[bytes] = []

    def handle(stream: servers.Stream) -> None:
        observed.append(servers.request_of(stream))
        assert isinstance(stream, ssl.SSLSocket)
        finished.append(stream.get_channel_binding("tls-unique") or b"")
        stream.sendall(OK)

    with Server(handle, tls) as server:
        found = to(server, trusting)
    assert found.response is not None
    assert found.handshake_sha256 == hashlib.sha256(finished[0]).hexdigest()
    assert (found.response.status, found.response.body) == (201, "ok")
    assert found.response.headers == (("content-type", "text/plain"),)
    assert found.established and found.tls_version == "TLSv1.3"
    assert found.server_chain == (view(pki.secrets["portal-admin"].certificate),)
    assert (found.alert, found.fault, found.closed, found.timed_out) == ("", "", False, False)
    assert found.peer_port == server.port and found.local_port and found.ms > 0
    assert observed == [REQUEST.head]
    assert found.sent_sha256 == hashlib.sha256(REQUEST.head).hexdigest()
    assert found.body_sha256 == hashlib.sha256(b"").hexdigest()
    assert found.authorization_sha256 == REQUEST.authorization_sha256


@pytest.mark.parametrize(
    ("parts", "status", "body"),
    [
        ((OK[:9], OK[9:40], OK[40:]), 201, "ok"),
        ((b"HTTP/1.1 200 OK\r\n\r\nuntil the end",), 200, "until the end"),
        ((b"HTTP/1.0 200 OK\r\n\r\nold",), 200, "old"),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",), 200, "abc"),
        ((b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK), 201, "ok"),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), 204, ""),
        ((b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n\xff\xfe",), 401, "\ufffd\ufffd"),
    ],
)
def test_all_kinds_of_answers(parts: tuple[bytes, ...], status: int, body: str) -> None:
    with Server(answer(*parts)) as server:
        found = to(server, None)
    assert found.response is not None, found
    assert (found.response.status, found.response.body) == (status, body)


def test_an_oversized_answer_is_cut() -> None:
    size = MAX_ANSWER_BYTES * 4
    with Server(
        answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, b"\xe2\x82\xac" * (size // 3))
    ) as server:
        found = to(server, None)
    assert found.response is not None and found.fault == ""
    assert found.response.body == "\u20ac" * KEPT_BODY_CHARACTERS


def test_an_oversized_head_is_no_answer() -> None:
    with Server(answer(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000)) as server:
        found = to(server, None)
    assert found.response is None and "not HTTP" in found.fault


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 banana\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46"]
)
def test_another_protocol(garbage: bytes) -> None:
    with Server(answer(garbage)) as server:
        found = to(server, None)
    assert found.response is None and found.closed
    assert found.fault.startswith("the response is not HTTP")


def test_an_answer_cut_short_keeps_its_status() -> None:
    with Server(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")) as server:
        found = to(server, None)
    assert found.response is not None and found.response.status == 200


# Rejections in the handshake


def test_an_answer_without_an_end_is_left(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    monkeypatch.setattr(send, "BODY_SECONDS", 0.1)
    left: list[bytes] = []

    def handle(stream: servers.Stream) -> None:
        servers.request_of(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n")
        left.append(stream.recv(1))

    with Server(handle, tls) as server:
        found = to(server, trusting)
    assert found.response is not None and (found.response.status, found.response.body) == (200, "event")
    assert left == [b""] and found.ms < send.ANSWER_SECONDS * 1000


@pytest.mark.parametrize("version", VERSIONS)
def test_the_alert_for_a_missing_certificate(secrets: Path, trusting: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    context = server_context(secrets / "portal-admin", secrets / "ingress-ca" / "tls.crt")
    context.maximum_version = version
    with Server(answer(OK), context) as server:
        found = to(server, trusting)
    assert found.response is None and found.fault == "" and not found.timed_out
    if version is ssl.TLSVersion.TLSv1_3:
        assert (found.established, found.alert, found.tls_version) == (True, "certificate_required", "TLSv1.3")
    else:
        assert (found.established, found.alert) == (False, "handshake_failure")
    assert len(server.failures) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_the_alert_for_another_cas_certificate(secrets: Path, ca: Path, version: ssl.TLSVersion) -> None:
    context = server_context(secrets / "portal-admin", secrets / "management-ca" / "tls.crt")
    context.maximum_version = version
    with Server(answer(OK), context) as server:
        found = to(server, client_context(ca, secrets / "portal-admin-client"))
    assert (found.alert, found.response, found.fault) == ("unknown_ca", None, "")
    assert found.established is (version is ssl.TLSVersion.TLSv1_3)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_certificate_is_presented(secrets: Path, ca: Path, version: ssl.TLSVersion) -> None:
    context = server_context(secrets / "portal-admin", secrets / "ingress-ca" / "tls.crt")
    context.maximum_version = version
    presenting = client_context(ca, secrets / "portal-admin-client")
    with Server(answer(OK), context) as server:
        found = [to(server, presenting) for _ in range(2)]
    assert [one.response and one.response.status for one in found] == [201, 201]
    assert server.reused == [False, False]


def test_no_common_version(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    trusting.minimum_version = ssl.TLSVersion.TLSv1_3
    with Server(answer(OK), tls) as server:
        found = to(server, trusting)
    assert (found.alert, found.established) == ("protocol_version", False)


# Servers the client cannot trust


def test_a_certificate_for_another_name(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    with Server(answer(OK), tls) as server:
        found = to(server, trusting, "api.apic.test")
    assert "api.apic.test" in found.server_refused
    assert (found.response, found.established, found.fault, found.alert) == (None, False, "", "")


def test_a_certificate_of_another_ca(secrets: Path, tls: ssl.SSLContext) -> None:
    with Server(answer(OK), tls) as server:
        found = to(server, client_context(secrets / "management-ca" / "tls.crt"))
    assert "certificate" in found.server_refused and found.response is None
