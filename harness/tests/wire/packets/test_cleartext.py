"""Clear text: every request on a kept connection, its Authorization, its answer; and that no token is kept whole."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from harness.model.connection import Connection, Content
from harness.tests.wire.packets import talk
from harness.wire.packets import cleartext
from harness.wire.packets.table import Reading

One = Callable[..., Connection]
FRAMES = talk.Frames()
OK = (False, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def _part(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


TOKEN = f"{_part({'alg': 'RS256', 'kid': 'k'})}.{_part({'iss': 'https://sts', 'sub': 'demo'})}.c2lnbmF0dXJlLWJ5dGVz"


def request(*headers: str, path: str = "/", method: str = "GET", body: bytes = b"") -> tuple[bool, bytes]:
    lines = [f"{method} {path} HTTP/1.1", "Host: api.example.test", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return True, "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize("mss", [1, 7, 1400])
@pytest.mark.parametrize(
    "header", ["Authorization: Bearer {}", "authorization:bearer {}", "AUTHORIZATION: BEARER  {} "]
)
def test_a_bearer_token(one: One, mss: int, header: str) -> None:
    found = one(talk.Frames(mss=mss).all([request(header.format(TOKEN)), OK]))
    (seen,) = found.requests
    assert seen.scheme == "bearer" and seen.token is not None and seen.status == 200
    assert seen.token.header == {"alg": "RS256", "kid": "k"} and seen.token.claims == {
        "iss": "https://sts",
        "sub": "demo",
    }
    assert TOKEN.rpartition(".")[2] not in json.dumps(asdict(found), default=str)


@pytest.mark.parametrize(
    ("header", "scheme"),
    [
        ("Accept: */*", ""),
        ("Authorization: Basic dXNlcjpwYXNz", "basic"),
        ("Authorization: Negotiate YII", "negotiate"),
        (f"Authorization: {TOKEN}", "not a scheme"),
        ("Authorization: s3cr3t", "not a scheme"),
        (f"Authorization: {TOKEN} x", "not a scheme"),
    ],
)
def test_other_authorization(one: One, header: str, scheme: str) -> None:
    found = one(FRAMES.all([request(header), OK]))
    assert [(seen.scheme, seen.token) for seen in found.requests] == [(scheme, None)]
    shown = json.dumps(asdict(found), default=str)
    assert "dXNlcjpwYXNz" not in shown and TOKEN[-10:] not in shown and "s3cr3t" not in shown


def test_a_token_in_the_query(one: One) -> None:
    (seen,) = one(FRAMES.all([request(path=f"/x?a=1&access_token={TOKEN}&b=2"), OK])).requests
    assert seen.token is not None and seen.path == "/x?..."
    (seen,) = one(FRAMES.all([request(path="/x?access_token=opaque-secret"), OK])).requests
    assert seen.token is not None and "opaque" not in str(seen)


def test_all_requests_of_a_kept_connection(one: One) -> None:
    turns = [
        request(method="POST", path="/1", body=b"GET /not-a-request HTTP/1.1\r\nAuthorization: Bearer nobody\r\n\r\n"),
        (False, b"HTTP/1.1 100 Continue\r\n\r\n"),
        (False, b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
        request(path="/2"),
        (False, b"HTTP/1.1 404 Not Found\r\n\r\n"),
        request(f"Authorization: Bearer {TOKEN}", path="/3"),
        (False, b"HTTP/1.1 200 OK\r\n\r\n"),
    ]
    found = one(FRAMES.all(turns))
    assert [(seen.path, seen.status, bool(seen.token)) for seen in found.requests] == [
        ("/1", 201, False),
        ("/2", 404, False),
        ("/3", 200, True),
    ]


def test_after_a_chunked_body_the_next_request_is_found(one: One) -> None:
    chunked = request("Transfer-Encoding: chunked", method="POST")
    turns = [(True, chunked[1] + b"5\r\nhello\r\n"), (True, b"0\r\n\r\n"), OK, request("Authorization: Bearer x"), OK]
    assert [seen.scheme for seen in one(FRAMES.all(turns)).requests] == ["", "bearer"]


def test_a_token_after_many_requests_is_still_found(one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleartext, "KEPT_REQUESTS", 3)
    found = one(FRAMES.all([*([request(), OK] * 20), request("Authorization: Bearer late"), OK]))
    assert len(found.requests) == 4 and found.requests_left_out == 17 and found.requests[-1].token is not None


def test_a_head_that_a_snaplen_cut(one: One) -> None:
    turns = [request(f"Authorization: Bearer {TOKEN}", "X-Padding: " + "x" * 1000), OK]
    found = one(FRAMES.all(turns), snaplen=420)
    assert found.sent.missing and [seen.scheme for seen in found.requests] == ["bearer"]


def test_a_capture_that_starts_in_the_middle(one: One) -> None:
    turns = [request(method="POST", body=b"x" * 3000), OK, request("Authorization: Bearer x"), OK]
    found = one(FRAMES.all(turns)[4:])
    assert found.content is Content.HTTP and not found.opening_captured and found.client_by == "what it sends"
    assert [seen.scheme for seen in found.requests] == ["bearer"]


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), Content.HTTP2),
        (b"PRI", Content.OTHER),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Content.OTHER),
        (b"GETTING somewhere", Content.OTHER),
        (b"\x16\x03\x01", Content.OTHER),
        (b"", Content.EMPTY),
    ],
)
def test_what_it_is(one: One, data: bytes, content: Content) -> None:
    assert one(FRAMES.all([(True, data)])).content is content


def test_a_new_connection_on_the_same_ports(reads: Callable[..., Reading]) -> None:
    turns = [request(), OK]
    again = talk.Frames(start=(5000, 9000))
    found = reads(talk.pcap(FRAMES.all(turns) + again.all(turns), link=101)).connections
    assert [(item.content, len(item.requests), item.closed) for item in found] == [(Content.HTTP, 1, "closed")] * 2


def test_limits_are_counted(reads: Callable[..., Reading]) -> None:
    packets = []
    for number in range(10):
        packets += talk.Frames(client=("10.0.0.1", 40000 + number)).all([request(), OK], close=False)
    reading = reads(talk.pcap(packets, link=101), max_open=4, max_kept=7)
    assert (len(reading.connections), reading.not_kept, reading.ended_early) == (7, 3, 6)


def test_a_socket_that_is_connected_to_itself(one: One) -> None:
    end = ("127.0.0.1", 4000)
    assert one(talk.Frames(client=end, server=end).all([request(), OK])).sent.packets


def test_resets(one: One) -> None:
    packets = FRAMES.all([request(), OK], close=False)
    for from_client, who in ((True, "client"), (False, "server")):
        assert one([*packets, FRAMES.ip((from_client, 0, 0, talk.RST, b""))]).closed == f"reset by the {who}"
