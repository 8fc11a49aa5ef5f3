"""Decisions on a connection's first bytes, segment by segment: a socket cannot force how bytes are cut, events can."""

from __future__ import annotations

import ssl
from typing import Any, cast

import pytest
from mitmproxy.connection import Client
from mitmproxy.options import Options
from mitmproxy.proxy import events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import NextLayer

from mitm_addons import layers
from mitm_addons.inspection import __main__ as inspection
from mitm_addons.inspector import Inspector
from mitm_addons.layers import Passthrough, Refuse, looks_like_tls
from mitm_addons.listeners import OpenListener, parse
from mitm_addons.policy import Policy, altered
from mitm_addons.records import Seen, Track
from mitm_addons.server import RecordingServer
from mitm_addons.tests.conftest import passthrough_listener


def _connection() -> tuple[Policy, Track, NextLayer]:
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2))
    track = Track(OpenListener(parse(passthrough_listener("a", 3)), 2, None, None), cast("Any", None), client)
    options: Any = Options
    return Policy({client.id: track}), track, NextLayer(Context(client, options()))


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", None), (b"\x16", None), (b"\x16\x03", None), (b"\x16\x03\x01", True), (b"\x16\x03\x03rest", True),
     (b"G", False), (b"\x16G", False), (b"\x16\x03\x04", False), (b"\x15\x03\x03", False)],
)  # fmt: skip
def test_looks_like_tls(data: bytes, expected: bool | None) -> None:
    assert looks_like_tls(data) is expected


@pytest.mark.parametrize("first", [b"\x16", b"\x16\x03"])
def test_nothing_is_relayed_or_refused_before_three_bytes(first: bytes) -> None:
    """mitmproxy alone takes a first segment under three bytes for plain TCP, and skips tls_clienthello."""
    policy, track, nextlayer = _connection()
    nextlayer.events.append(events.DataReceived(nextlayer.context.client, first))
    policy.next_layer(nextlayer)
    assert track.notes == []
    undecided = nextlayer.layer
    nextlayer.events.append(events.DataReceived(nextlayer.context.client, b"\x16\x03\x01"[len(first) :]))
    policy.next_layer(nextlayer)
    assert undecided is None
    assert (type(nextlayer.layer), len(track.notes)) == (Passthrough, 0)


def test_three_bytes_that_are_not_tls_are_refused() -> None:
    policy, track, nextlayer = _connection()
    nextlayer.events.append(events.DataReceived(nextlayer.context.client, b"GET"))
    policy.next_layer(nextlayer)
    assert (type(nextlayer.layer), track.notes) == (Refuse, ["refused: not TLS"])


def test_the_name_is_read_from_a_hello_in_pieces() -> None:
    _, track, nextlayer = _connection()
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="portal.test").do_handshake()
    hello, layer = outgoing.read(), Passthrough(nextlayer.context, track)
    for end in range(len(hello)):
        assert layer._look(hello[:end]) == hello[:end]
        assert track.sni == ""
    assert layer._look(hello) is None
    assert track.sni == "portal.test"


def test_altered_changes_one_character_of_the_last_part() -> None:
    assert [altered(value) for value in ("Bearer a.b.Axx", "Bearer a.b.cxx", "x.")] == [
        "Bearer a.b.Bxx",
        "Bearer a.b.Axx",
        "x.A",
    ]


def test_a_refusal_is_of_the_request_in_progress() -> None:
    _, track, _ = _connection()
    done, pending = (Seen("GET", "/", nonce, "", None) for nonce in ("done", "pending"))
    done.status, done.decision = 201, "upstream"
    track.requests |= {"1": done, "2": pending}
    track.refused(504, "late")
    assert (done.status, pending.status, pending.decision, track.notes) == (201, 504, "balancer", [])


def test_hooks_without_a_listener_are_answered_at_once() -> None:
    for addon in (Policy, RecordingServer, Inspector, inspection._Teller, inspection._Started):
        assert not [name for name in layers._WITHOUT_LISTENERS if hasattr(addon, name)], addon
