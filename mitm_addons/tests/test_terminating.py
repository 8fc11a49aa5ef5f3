"""A terminating balancer forwards what it got, verifies the server itself, and says so in one record a connection."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.model.exchange import BalancerView
from mitm_addons.tests.peers import (
    PATIENCE,
    Heard,
    Process,
    Upstream,
    certificate,
    client,
    read_message,
    request,
    status,
)


def _token(text: str = "signature") -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, {"sub": "me"})]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, text.encode()])


def _exchange(port: int, pki: SimpleNamespace, message: bytes, name: str = "portal.test") -> tuple[bytes, int]:
    with client(port, pki.ca, name) as connection:
        local = connection.getsockname()[1]
        connection.sendall(message)
        return read_message(connection), local


def test_digests_and_ports_are_those_of_both_ends(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    upstream = serve()
    port = terminating(upstream)
    token = _token()
    body = b'{"name": "p1"}'
    sent = request(body, f"Authorization: Bearer {token}", "X-Hopproof-Case: nonce-1", path="/api?access_token=secret")
    answer, local = _exchange(port, pki, sent)
    heard, record = upstream.heard.get(timeout=PATIENCE), process.record()
    assert (status(answer), heard.request) == (201, sent)
    assert (record.local_port, record.peer_port, record.upstream_port) == (port, local, heard.peer_port)
    assert (record.established, record.tls_version, record.sni) == (True, "TLSv1.3", "portal.test")
    assert (record.upstream_established, record.upstream_error) == (True, "")
    (observed,) = record.requests
    assert (observed.method, observed.path, observed.nonce, observed.status, observed.decision) == (
        "PUT",
        "/api",
        "nonce-1",
        201,
        "upstream",
    )
    assert observed.body_sha256 == hashlib.sha256(body).hexdigest()
    assert observed.authorization_sha256 == hashlib.sha256(f"Bearer {token}".encode()).hexdigest()
    assert observed.token
    assert (observed.token.header, observed.token.claims) == ({"alg": "RS256"}, {"sub": "me"})
    assert token.rpartition(".")[2] not in repr(record)
    assert "secret" not in repr(record)


def test_two_requests_on_one_connection_are_one_record(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    upstream = serve()
    with client(terminating(upstream), pki.ca, "portal.test") as connection:
        for nonce in ("a", "b"):
            connection.sendall(request(b"x", f"X-Hopproof-Case: {nonce}"))
            assert status(read_message(connection)) == 201
    assert [observed.nonce for observed in process.record().requests] == ["a", "b"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_clients_only_get_http1_and_the_front_certificate(
    process: Process,
    pki: SimpleNamespace,
    serve: Callable[..., Upstream],
    terminating: Callable[..., int],
    version: ssl.TLSVersion,
) -> None:
    with client(terminating(serve()), pki.ca, "portal.test", version=version) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
        shown = certificate(connection)
    assert shown in pki.front.read_text()
    assert process.record().tls_version == version.name.replace("_", ".")


def test_the_clients_name_does_not_choose_whom_the_balancer_trusts(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    """With keep_host_header, mitmproxy alone would send and verify the name in the client's SNI."""
    upstream = serve(pki.other_server)
    port = terminating(upstream, certificate=str(pki.other_server))
    answer, _ = _exchange(port, pki, request(host="other.test"), name="other.test")
    assert status(answer) == 502
    record = process.record()
    assert "hostname mismatch" in record.upstream_error.lower()
    assert upstream.heard.get(timeout=PATIENCE).request == b""


def test_a_server_of_another_ca_gets_nothing_but_an_alert(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    upstream = serve()
    answer, _ = _exchange(terminating(upstream, upstream_ca=str(pki.rogue_ca)), pki, request(b"secret"))
    assert status(answer) == 502
    heard, record = upstream.heard.get(timeout=PATIENCE), process.record()
    assert "alert" in heard.error.lower()  # mitmproxy alone closes without a word
    assert "verify failed" in record.upstream_error
    assert not record.upstream_established
    assert record.requests[0].decision == "balancer"


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 100_000], ids=["empty", "small", "large"])
def test_a_server_that_wants_a_certificate_is_a_prompt_502(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int], body: bytes
) -> None:
    upstream = serve(mtls=True)
    port = terminating(upstream)
    for _ in range(20):
        answer, _ = _exchange(port, pki, request(body))
        assert status(answer) == 502
        record = process.record()
        assert record.upstream_error == "alert: certificate_required"
        assert (record.upstream_established, record.requests[0].decision) == (True, "balancer")


def test_a_silent_server_is_a_504(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    upstream = serve(silent=True)
    answer, _ = _exchange(terminating(upstream, upstream_timeout=0.2), pki, request())
    assert status(answer) == 504
    record = process.record()
    assert "did not answer within 0.2 s" in record.upstream_error
    assert (record.requests[0].status, record.requests[0].decision) == (504, "balancer")


def test_a_server_that_takes_the_connection_and_no_handshake_is_a_504(
    process: Process, pki: SimpleNamespace, terminating: Callable[..., int]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = terminating(SimpleNamespace(port=mute.getsockname()[1]), upstream_timeout=0.2)
        answer, _ = _exchange(port, pki, request())
    assert status(answer) == 504
    assert not process.record().upstream_established


def test_a_refused_connection_is_a_502(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    upstream = serve()
    upstream.close()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        answer, _ = _exchange(terminating(upstream, upstream_port=closed.getsockname()[1]), pki, request())
    assert status(answer) == 502
    record = process.record()
    assert "Connect call failed" in record.upstream_error
    assert record.upstream_port is None


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_a_413(
    process: Process,
    pki: SimpleNamespace,
    serve: Callable[..., Upstream],
    terminating: Callable[..., int],
    chunked: bool,
) -> None:
    upstream = serve()
    body = b"x" * (16 * 1024 * 1024)  # more than socket buffers hold: closing over unread data would reset
    head = b"PUT / HTTP/1.1\r\nHost: portal.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else request(body)
    answer, _ = _exchange(terminating(upstream), pki, sent)
    assert status(answer) == 413
    record = process.record()
    assert (record.requests[0].status, record.requests[0].decision) == (413, "balancer")
    assert record.upstream_port is None


def test_an_answer_over_the_limit_is_a_502(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    body = b"x" * (2 * 1024 * 1024)
    upstream = serve(answer=b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer, _ = _exchange(terminating(upstream), pki, request())
    assert (status(answer), process.record().requests[0].decision) == (502, "balancer")


def test_a_malformed_request_is_a_400_in_the_record(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    answer, _ = _exchange(terminating(serve()), pki, b"nonsense\r\n\r\n")
    assert (status(answer), b"from the balancer" in answer) == (400, True)
    assert "answered 400" in process.record().detail


TRAILERS = b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n"


def test_trailers_end_the_connection_instead_of_hanging_it(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    """mitmproxy's HTTP/1 raises NotImplementedError for them, logs that, and the client waits."""
    upstream = serve(answer=b"HTTP/1.1 200 OK\r\n" + TRAILERS)
    answer, _ = _exchange(terminating(upstream), pki, request())
    assert status(answer) == 502
    assert "NotImplementedError" in process.record().detail


class TestBehaviours:
    @pytest.fixture
    def through(
        self,
        process: Process,
        pki: SimpleNamespace,
        serve: Callable[..., Upstream],
        terminating: Callable[..., int],
    ) -> Callable[..., tuple[int, Heard, BalancerView]]:
        def run(message: bytes, *, mtls: bool = False, **behaviours: Any) -> tuple[int, Heard, BalancerView]:
            upstream = serve(mtls=mtls)
            answer, _ = _exchange(terminating(upstream, behaviours=behaviours), pki, message)
            return status(answer), upstream.heard.get(timeout=PATIENCE), process.record()

        return run

    @pytest.mark.parametrize("behaviour", ["keep", "strip", "alter"])
    def test_authorization(self, through: Callable[..., tuple[int, Heard, BalancerView]], behaviour: str) -> None:
        value = f"Bearer {_token()}"
        answered, heard, record = through(request(b"", f"Authorization: {value}"), authorization=behaviour)
        got = heard.header("Authorization")
        assert answered == 201
        assert {"keep": got == value, "strip": got is None, "alter": got not in (None, value)}[behaviour]
        assert record.requests[0].authorization_sha256 == hashlib.sha256(value.encode()).hexdigest()

    def test_alter_touches_the_signature_only(self, through: Callable[..., tuple[int, Heard, BalancerView]]) -> None:
        value = f"Bearer {_token()}"
        _, heard, _ = through(request(b"", f"Authorization: {value}"), authorization="alter")
        assert (heard.header("Authorization") or "").rpartition(".")[0] == value.rpartition(".")[0]

    def test_rewrite_body(self, through: Callable[..., tuple[int, Heard, BalancerView]]) -> None:
        answered, heard, record = through(request(b'{"a":1}'), rewrite_body=True)
        assert (answered, json.loads(heard.body)) == (201, {"a": 1})
        assert hashlib.sha256(heard.body).hexdigest() != record.requests[0].body_sha256
        assert record.requests[0].body_sha256 == hashlib.sha256(b'{"a":1}').hexdigest()

    def test_client_certificate(
        self, through: Callable[..., tuple[int, Heard, BalancerView]], pki: SimpleNamespace
    ) -> None:
        answered, heard, _ = through(request(), mtls=True, client_certificate=str(pki.client))
        assert answered == 201
        assert ssl.DER_cert_to_PEM_cert(heard.client_certificate or b"") in pki.client.read_text()

    @pytest.mark.parametrize("send_sni", [True, False])
    def test_send_sni(self, through: Callable[..., tuple[int, Heard, BalancerView]], send_sni: bool) -> None:
        answered, heard, _ = through(request(), send_sni=send_sni)
        assert (answered, heard.sni) == (201, "portal.test" if send_sni else None)

    def test_without_sni_the_name_is_verified_all_the_same(
        self, process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
    ) -> None:
        port = terminating(serve(pki.other_server), behaviours={"send_sni": False})
        answer, _ = _exchange(port, pki, request())
        assert (status(answer), "hostname mismatch" in process.record().upstream_error.lower()) == (502, True)

    def test_verify_upstream_false_trusts_any_certificate(
        self, process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
    ) -> None:
        upstream = serve(pki.other_server)
        port = terminating(upstream, upstream_ca=str(pki.rogue_ca), behaviours={"verify_upstream": False})
        answer, _ = _exchange(port, pki, request())
        assert (status(answer), process.record().requests[0].decision) == (201, "upstream")
