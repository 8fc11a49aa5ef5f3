"""What is known of a connection over TLS, from its two sides' records: hellos, chains, alerts, inferences."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import lru_cache
from typing import TypedDict

from cryptography import x509

from harness.decode.certificates import view
from harness.decode.tls import ALERTS
from harness.model.connection import Alert, ClientHello, Content, Inference, Seen, ServerHello
from harness.model.exchange import CertificateView
from harness.wire.packets import inference
from harness.wire.packets.hello import Cursor, client_hello, server_hello
from harness.wire.packets.names import GROUPS, named
from harness.wire.packets.side import Side
from harness.wire.packets.tls import CERTIFICATE, CLIENT_HELLO, KEY_EXCHANGE, SERVER_HELLO, TlsSide

_MAX_CHAIN = 20
_NAMED_CURVE = 3
_LEVELS = {1: "warning", 2: "fatal"}


class Inside(TypedDict, total=False):
    """What is known of a connection over TLS alone."""

    hello: ClientHello | None
    answer: ServerHello | None
    server_chain: tuple[CertificateView, ...]
    client_chain: tuple[CertificateView, ...]
    certificate_requested: Inference
    certificate_sent: Inference
    resumed: Inference
    early_data: Inference
    application_data: Seen
    renegotiated: bool
    asked_later: Seen
    alerts: tuple[Alert, ...]
    encrypted_alerts: int
    notes: tuple[str, ...]


def inside(client: Side, server: Side, *, incomplete: bool) -> Inside:
    """What the two sides' records show; *incomplete*: something of them was not captured."""
    sent, received = client.tls or TlsSide(False), server.tls or TlsSide(False)
    hello, answer, notes = _hellos(sent, received)
    if server.content is Content.HTTP:
        notes.append("the server answered the ClientHello with HTTP in clear text")
    renegotiated = _renegotiated(answer, sent, received)
    requested, presented = inference.certificates(hello, answer, sent, received)
    if incomplete:
        notes.append("a part of it was not captured")
    if hello is not None and hello.encrypted_client_hello:
        notes.append("Encrypted Client Hello (or its GREASE): the server name may be an outer one")
    return {
        "hello": hello,
        "answer": answer,
        "server_chain": _chain(received, notes, "server"),
        "client_chain": _chain(sent, notes, "client"),
        "certificate_requested": requested,
        "certificate_sent": presented,
        "resumed": inference.resumption(hello, answer, received),
        "early_data": inference.early_data(hello, sent, received),
        "application_data": inference.data_exchanged(answer, sent, received),
        "renegotiated": renegotiated,
        "asked_later": inference.asked_later(hello, answer, sent, renegotiated),
        "alerts": (*_alerts("client", sent), *_alerts("server", received)),
        "encrypted_alerts": _encrypted_alerts(answer, sent, received),
        "notes": tuple(notes),
    }


def _hellos(sent: TlsSide, received: TlsSide) -> tuple[ClientHello | None, ServerHello | None, list[str]]:
    notes: list[str] = []
    hello, answer = None, None
    try:
        if CLIENT_HELLO in sent.messages:
            hello = client_hello(sent.messages[CLIENT_HELLO])
    except ValueError:
        notes.append("the ClientHello is malformed")
    try:
        if SERVER_HELLO in received.messages:
            answer = server_hello(received.messages[SERVER_HELLO])
            if answer.retry and received.second_hello:
                answer = server_hello(received.second_hello)
                notes.append("the server asked for another key share (HelloRetryRequest)")
    except ValueError:
        notes.append("the ServerHello is malformed")
    exchange = received.messages.get(KEY_EXCHANGE, b"")
    if answer is not None and not answer.group and "ECDHE" in answer.cipher and exchange[:1] == bytes([_NAMED_CURVE]):
        answer = replace(answer, group=named(GROUPS, int.from_bytes(exchange[1:3], "big")))
    return hello, answer, notes


def _chain(side: TlsSide, notes: list[str], whose: str) -> tuple[CertificateView, ...]:
    """The certificates of a TLS 1.2 Certificate message; what cannot be parsed is noted."""
    body = side.messages.get(CERTIFICATE)
    if not body:
        return ()
    found: list[CertificateView] = []
    try:
        certificates = Cursor(body).vector(3)
        while certificates.more and len(found) < _MAX_CHAIN:
            found.append(_certificate(certificates.vector(3).data))
    except Exception:  # whatever a stranger's bytes make a parser raise, they are no certificate
        notes.append(f"the {whose}'s chain cannot be parsed")
    return tuple(found)


@lru_cache(1024)
def _certificate(der: bytes) -> CertificateView:
    """Servers present the same chain again and again: a certificate is parsed once."""
    with warnings.catch_warnings(action="ignore"):
        return view(x509.load_der_x509_certificate(der))


def _alerts(sender: str, side: TlsSide) -> tuple[Alert, ...]:
    return tuple(Alert(sender, _LEVELS.get(a, str(a)), ALERTS.get(b, str(b))) for a, b in side.alerts[:20])


def _renegotiated(answer: ServerHello | None, sent: TlsSide, received: TlsSide) -> bool:
    """Up to TLS 1.2 a Finished is the only encrypted handshake record of each side; more is a renegotiation."""
    if answer is None or answer.version == "TLSv1.3":
        return False
    return sent.sealed_handshakes > 1 or received.sealed_handshakes > 1


def _encrypted_alerts(answer: ServerHello | None, sent: TlsSide, received: TlsSide) -> int:
    if answer is not None and answer.version == "TLSv1.3":
        return sent.alert_sized + received.alert_sized
    return sent.sealed_alerts + received.sealed_alerts
