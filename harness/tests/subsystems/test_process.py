"""The process: ready fast, ends with its parent, many instances at once; silent clients and other corners."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from cryptography import x509
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from harness.model.exchange import ServerView
from harness.model.protocol import Connection
from harness.subsystems.server.certificates import read_secret
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.connection import HANDSHAKE_SECONDS, ConnectionFactory, ListenerContext
from harness.subsystems.server.distinguished_name import same_name
from harness.subsystems.server.key_cache import KeyCache
from harness.subsystems.server.policy import Demand, ServerPolicy
from harness.subsystems.server.tls import ServerTls
from harness.tests.subsystems.support import Deployment, Process

make_transport: Any = StringTransport


def test_ends_when_stdin_does() -> None:
    assert Process().end() == 0


def test_many_instances(lab: Deployment) -> None:
    orders = [lab.order(kind, {"mtlsValidateClient": True}) for kind in ("portal", "analytics") for _ in range(25)]
    begun = time.monotonic()
    answers = lab.process.do("start", instances=orders)
    assert time.monotonic() - begun < 5  # 0.1 s on an idle machine
    assert len({answer["port"] for answer in answers.values()}) == 50
    lab.process.do("stop", instances=list(answers))


def test_a_silent_client_is_disconnected_and_reported(lab: Deployment) -> None:
    clock, message = Clock(), list[Connection]()
    tls = ServerTls(read_secret(lab.folder, "portal-admin"), Demand.REQUIRED)
    house = ListenerContext("x", tls, ServerPolicy(), LabClock(), clock, lambda door: None, message.append)
    door, transport = ConnectionFactory(house).buildProtocol(None), make_transport()
    connect: Any = door.makeConnection
    connect(transport)
    clock.advance(HANDSHAKE_SECONDS + 1)
    assert transport.disconnected
    door.connectionLost()
    (view,) = (item.view for item in message)
    assert isinstance(view, ServerView)
    assert (view.rejected, view.requests) == ("tls-handshake", ())
    assert "within" in view.detail
    door.connectionLost()
    assert len(message) == 1


def test_concurrent_requests_share_one_fetch(lab: Deployment) -> None:
    from twisted.internet.defer import Deferred

    body = (lab.folder / "jwt" / "jwks.json").read_bytes()
    answer: Deferred[bytes] = Deferred()
    counters: Counter[str] = Counter()
    cache = KeyCache(lambda: answer, time.time, 60, counters, ServerPolicy())
    asked = [Deferred.fromCoroutine(cache.keys_for(lab.pki.kid)) for _ in range(20)]
    got: list[Any] = []
    for one in asked:
        one.addCallback(got.append)
    assert got == [] and counters["jwks_fetches"] == 1
    answer.callback(body)
    assert len(got) == 20 and counters["jwks_fetches"] == 1


def test_names() -> None:
    def name(text: str) -> x509.Name:
        return x509.Name.from_rfc4514_string(text)

    spaced = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "  A   B ")])
    assert same_name(name("CN=a b"), spaced)
    assert same_name(name("CN=a+O=c"), name("O=c+CN=a"))
    for other in ("O=c,CN=a", "CN=a+O=c", "CN=a", "CN=a,O=c,C=DE", "CN=\u0430,O=c", "CN=a\u200b,O=c"):
        assert not same_name(name("CN=a,O=c"), name(other)), other
