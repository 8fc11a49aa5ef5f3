"""What two sides' TLS records say of client certificates, resumption and data.

In TLS 1.2 the handshake is in the clear.  In TLS 1.3 the client's last flight is encrypted, but its records have sizes
(RFC 8446, 4.4 and 5.2): a message has a header of 4 bytes, a record adds the content type and a tag of 16, so that

- a Finished alone makes a record of 21 bytes plus the hash: 53 with SHA-256, 69 with SHA-384;
- an empty Certificate makes one of 25, and the two together one of 61 or 77;
- a certificate and its CertificateVerify come before the Finished, in records whose sizes fit chain and signature.

A client that is asked for a certificate must send a Certificate message, so a Finished alone also says that the server
did not ask.  Padding can hide all this; it only makes records larger, so it turns an answer into a doubtful one.
"""

from __future__ import annotations

from functools import lru_cache

from harness.model.connection import UNSEEN, ClientHello, Confidence, Inference, Seen, ServerHello
from harness.wire.packets.hello import Cursor
from harness.wire.packets.tls import ALERT_SIZE, CERTIFICATE, DONE, REQUEST, VERIFY, TlsSide

_OVERHEAD = 17
_EMPTY = 8 + _OVERHEAD
_MIN_CHAIN = 150
# CertificateVerify: its record for each common signature (ECDSA in DER varies by some bytes).
_SIGNATURES = frozenset(
    8 + _OVERHEAD + size
    for size in (*range(68, 73), *range(100, 105), *range(134, 140), 64, 114, 128, 256, 384, 512, 1024)
)

Pair = tuple[Inference, Inference]


# Connections of one kind show the same: a sentence is made once.
@lru_cache(1024)
def _certain(seen: Seen, why: str) -> Inference:
    return Inference(seen, Confidence.CERTAIN, why)


@lru_cache(1024)
def _unknown(why: str) -> Inference:
    return Inference(Seen.UNKNOWN, Confidence.NONE, why)


def certificates(hello: ClientHello | None, answer: ServerHello | None, client: TlsSide, server: TlsSide) -> Pair:
    """Whether the server asked for a certificate, and whether the client sent one."""
    if hello is None or answer is None:
        return (_unknown("the handshake was not captured"),) * 2
    if answer.version == "TLSv1.3":
        return _encrypted(hello, answer, client)
    return _clear(client, server)


def resumption(hello: ClientHello | None, answer: ServerHello | None, server: TlsSide) -> Inference:
    """Whether the connection resumes an earlier session (in TLS 1.3, or uses an external pre-shared key)."""
    if hello is None or answer is None or answer.retry:
        return _unknown("no ServerHello was captured")
    if answer.version == "TLSv1.3":
        return _certain(Seen.YES if answer.resumes else Seen.NO, "pre_shared_key in the ServerHello")
    if CERTIFICATE in server.messages:
        return _certain(Seen.NO, "the server sent its certificate")
    if server.change_cipher and server.whole:
        return _certain(Seen.YES, "the server sent no certificate and resumed the session")
    return _unknown("the server's side was not captured completely")


def early_data(hello: ClientHello | None, client: TlsSide, server: TlsSide) -> Inference:
    """Whether the client sent data before the handshake was done (0-RTT)."""
    if hello is None:
        return UNSEEN
    if not hello.early_data:
        return _certain(Seen.NO, "not offered in the ClientHello")
    if client.sealed_times and (server.hello_time is None or client.sealed_times[0] < server.hello_time):
        return _certain(
            Seen.YES, ("encrypted records before the ServerHello; whether the server accepted them cannot be seen")
        )
    return _unknown("offered in the ClientHello; no record before the ServerHello was seen")


def asked_later(hello: ClientHello | None, answer: ServerHello | None, client: TlsSide, renegotiated: bool) -> Seen:
    """Whether the server asked for a certificate after the handshake.

    In TLS 1.3 a client can be asked only if it offers that; whatever it answers ends with another Finished.
    """
    if hello is None or answer is None:
        return Seen.UNKNOWN
    if answer.version != "TLSv1.3":
        return Seen.YES if renegotiated else Seen.NO if client.aligned else Seen.UNKNOWN
    if not hello.post_handshake_auth:
        return Seen.NO
    end = _finished(answer, client)
    if end is None or not client.aligned or client.application_records > len(client.sealed_sizes):
        return Seen.UNKNOWN
    size = client.sealed_sizes[end]
    return Seen.UNKNOWN if size in client.sealed_sizes[end + 1 :] else Seen.NO


def data_exchanged(answer: ServerHello | None, client: TlsSide, server: TlsSide) -> Seen:
    """Whether both sides sent application data after the handshake; where bytes are missing nothing is denied.

    What follows a hole is delivered late, so the order of the two sides' records is not known there either.
    """
    complete = all(side.aligned and side.whole and not side.holes for side in (client, server))
    if answer is None or answer.version != "TLSv1.3":
        both = client.application_records and server.application_records
        return Seen.YES if both else Seen.NO if complete else Seen.UNKNOWN
    end = _finished(answer, client)
    if end is None:
        # Before its Finished a client sends no data but early data; a record of an alert's size may be all there is.
        broken_off = complete and client.application_records == client.sealed_sizes.count(ALERT_SIZE)
        return Seen.NO if broken_off and (client.alerts or client.sealed_sizes) else Seen.UNKNOWN
    first = next((at for at in range(end + 1, len(client.sealed_sizes)) if client.sealed_sizes[at] != ALERT_SIZE), None)
    none = Seen.NO if complete else Seen.UNKNOWN
    if first is None:
        return none
    if server.application_records > len(server.sealed_sizes):
        return Seen.YES  # so many are neither tickets nor alerts
    return _answered(client.sealed_times[end], client.sealed_times[first], server, none)


def _answered(finished: float, asked: float, server: TlsSide, none: Seen) -> Seen:
    """Whether the server answered what the client sent when it *asked*; *none* where it sent nothing that could."""
    later = [
        (size, time) for size, time in zip(server.sealed_sizes, server.sealed_times, strict=True) if time > finished
    ]
    # The first after the client's Finished may be a session ticket, as may others of its size: no answer to data.
    tickets = {ALERT_SIZE, *(size for size, _ in later[:1])}
    if any(time > asked and size not in tickets for size, time in later):
        return Seen.YES
    return Seen.UNKNOWN if any(size != ALERT_SIZE for size, _ in later) else none


def _finished(answer: ServerHello, client: TlsSide) -> int | None:
    """Which of the client's encrypted records holds its Finished alone; None where that is unknown."""
    first, size = client.sealed_sizes[:6], answer.hash_size + 4 + _OVERHEAD
    return first.index(size) if answer.hash_size and size in first else None


def _clear(client: TlsSide, server: TlsSide) -> Pair:
    if REQUEST in server.messages:
        requested = _certain(Seen.YES, "CertificateRequest in the clear")
    elif server.whole and (DONE in server.messages or server.change_cipher):
        requested = _certain(Seen.NO, "no CertificateRequest in the handshake")
    else:
        requested = _unknown("the server's side was not captured completely")
    if CERTIFICATE in client.messages:
        proved = " and CertificateVerify" if VERIFY in client.messages else ", but no CertificateVerify was seen,"
        if _chain_length(client.messages[CERTIFICATE]):
            return requested, _certain(Seen.YES, f"Certificate{proved} in the clear")
        return requested, _certain(Seen.NO, "an empty Certificate message in the clear")
    if requested.seen is Seen.NO or (client.whole and client.change_cipher):
        return requested, _certain(Seen.NO, "no Certificate message from the client")
    return requested, _unknown("the client's side was not captured completely")


def _chain_length(body: bytes) -> int:
    try:
        return Cursor(body).number(3)
    except ValueError:
        return 0


def _encrypted(hello: ClientHello, answer: ServerHello, client: TlsSide) -> Pair:
    doubt = _why_not(hello, answer, client)
    if doubt:
        return (_unknown(doubt),) * 2
    sizes = client.sealed_sizes[:6]
    finished = answer.hash_size + 4 + _OVERHEAD
    listed = ", ".join(map(str, sizes[:4]))
    if sizes[0] == finished:
        why = f"the client's first encrypted record has {finished} bytes, a Finished alone"
        return (Inference(Seen.NO, Confidence.HIGH, why),) * 2
    if sizes[0] == ALERT_SIZE:
        return (_unknown("the client ended the handshake with a record the size of an alert"),) * 2
    if sizes[:2] == [_EMPTY, finished] or sizes[0] == finished + 8:
        why = f"the client's encrypted records have {listed} bytes: an empty Certificate, then Finished"
        sure = Confidence.HIGH if sizes[0] == _EMPTY else Confidence.MEDIUM
        return Inference(Seen.YES, sure, why), Inference(Seen.NO, sure, why)
    return _larger(sizes, finished, listed)


def _why_not(hello: ClientHello, answer: ServerHello, client: TlsSide) -> str:
    """Why sizes say nothing here; '' where they do."""
    if answer.resumes:
        return "the session is resumed, and no certificate is requested then (RFC 8446, 4.3.2)"
    if answer.retry:
        return "the ServerHello after the HelloRetryRequest was not captured"
    if hello.early_data:
        return "early data was offered, and its records cannot be distinguished from the handshake's"
    if not answer.hash_size:
        return f"the record sizes of {answer.cipher} are not known"
    if not client.whole or not client.aligned:
        return "the client's side was not captured completely"
    return "" if client.sealed_sizes else "the client sent no encrypted record"


def _larger(sizes: list[int], finished: int, listed: str) -> Pair:
    why = f"the client's encrypted records have {listed} bytes"
    end = sizes.index(finished) if finished in sizes else None
    if end is not None and end >= 2 and sizes[0] >= _MIN_CHAIN and sizes[end - 1] in _SIGNATURES:
        text = f"{why}: a chain, a signature, Finished"
        return (Inference(Seen.YES, Confidence.HIGH, text),) * 2
    if sizes[0] >= _MIN_CHAIN:
        text = f"{why}: more than a Finished before it; padding could look the same"
        return (Inference(Seen.YES, Confidence.MEDIUM, text),) * 2
    return (_unknown(f"{why}, which match no known flight"),) * 2
