"""Log lines as nginx 1.22.1, HAProxy 2.6.12 and Envoy 1.40.0 wrote them, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.model.exchange import BalancerView
from tools.interop.access_logs import AccessLogReader

LISTENERS = {29001: ("portal|passthrough", "passthrough"), 29002: ("portal|terminating", "terminating")}
REQUEST = {
    "kind": "request",
    "port": 29002,
    "peer": 40001,
    "tls": "TLSv1.3",
    "sni": "api.portal.apic.test",
    "method": "PUT",
    "path": "/api/portals/fp-1",
    "nonce": "fp-1",
}
ANSWERED = {"nginx": "0.012", "haproxy": "3", "envoy": "via_upstream"}
BY_ITSELF = {"nginx": "", "haproxy": "-1", "envoy": "upstream_reset_before_response_started{connection_termination}"}


def read(product: str, *lines: str | dict[str, Any]) -> list[BalancerView]:
    message = AccessLogReader(product, LISTENERS)
    return [view for line in lines for view in message.read(line if isinstance(line, str) else json.dumps(line))]


@pytest.mark.parametrize(
    ("upstream", "port"),
    [("127.0.0.1:50402", 50402), ("10057", 10057), (50402, 50402), ("-", None), ("", None), (None, None), ("0", None)],
)
def test_a_connection_passed_through(upstream: object, port: int | None) -> None:
    line = {"kind": "connection", "port": 29001, "peer": 40001, "upstream": upstream, "tls": None, "detail": "-"}
    assert read("envoy", line) == [BalancerView("portal|passthrough", "passthrough", 29001, 40001, upstream_port=port)]


@pytest.mark.parametrize("product", ANSWERED)
def test_who_answered(product: str) -> None:
    upstream = {**REQUEST, "upstream": "127.0.0.1:10057", "status": 201, "answered": ANSWERED[product]}
    (view,) = read(product, upstream)
    assert (view.established, view.tls_version, view.upstream_port) == (True, "TLSv1.3", 10057)
    (request,) = view.requests
    assert (request.decision, request.status, request.nonce) == ("upstream", 201, "fp-1")
    assert not request.digested
    (view,) = read(product, {**REQUEST, "upstream": "-", "status": 502, "answered": BY_ITSELF[product]})
    assert (view.requests[0].decision, view.upstream_port) == ("balancer", None)


@pytest.mark.parametrize("status", [0, -1, "-1", None])
def test_a_request_that_got_no_answer(status: object) -> None:
    (view,) = read("haproxy", {**REQUEST, "status": status, "answered": "-1"})
    assert view.requests[0].status is None


def test_no_query_is_kept() -> None:
    (view,) = read("envoy", {**REQUEST, "path": "/a?access_token=x", "status": 201, "answered": "via_upstream"})
    assert view.requests[0].path == "/a"


def test_the_end_of_a_connection_without_a_request_is_reported() -> None:
    end = {"kind": "end", "port": 29002, "peer": 40001, "tls": "-", "detail": "TLS_error"}
    request = {**REQUEST, "status": 201, "answered": "via_upstream"}
    assert len(read("envoy", request, end)) == 1
    assert len(read("envoy", request, end, end)) == 2, "the next connection from the same port is another one"
    (view,) = read("envoy", end)
    assert (view.established, view.requests, view.detail) == (False, (), "TLS_error")


ACCEPT = "2026/11/22 13:55:35 [debug] 31428#31428: *7 accept: 127.0.0.1:40001 fd:12"
FAILED = (
    "2026/11/22 13:55:35 [info] 31428#31428: *7 SSL_do_handshake() failed (SSL: error:0A000418) while SSL handshaking, "
    "client: 127.0.0.1, server: 127.0.0.1:29002"
)


def test_a_handshake_that_failed_at_nginx() -> None:
    (view,) = read("nginx", ACCEPT, FAILED)
    assert (view.listener, view.local_port, view.peer_port) == ("portal|terminating", 29002, 40001)
    assert (view.established, view.upstream_port) == (False, None) and "SSL_do_handshake" in view.detail


@pytest.mark.parametrize(
    "lines",
    [
        [FAILED],
        [ACCEPT, FAILED.replace("*7", "*8")],
        [ACCEPT, FAILED.replace("SSL handshaking,", "SSL handshaking to upstream,")],
        ["", "[notice] exiting", ACCEPT],
    ],
)
def test_what_names_no_connection_tells_of_none(lines: list[str]) -> None:
    assert read("nginx", *lines) == []


@pytest.mark.parametrize("line", ["{", '{"kind":"connection"}', '{"kind":"connection","port":1,"peer":2}'])
def test_a_line_of_ours_that_cannot_be_read_is_an_error(line: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        read("nginx", line)
