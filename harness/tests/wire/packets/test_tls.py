"""TLS: what real handshakes of each version show, compared with what their two contexts were told to do."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from hashlib import sha256

import pytest

from harness.model.connection import Confidence, Connection, Content, Seen
from harness.pki.issue import Identity
from harness.tests.wire.packets import talk
from harness.tests.wire.packets.conftest import V12, V13
from harness.wire.packets.hello import client_hello, server_hello

One = Callable[..., Connection]
Contexts = Callable[..., tuple[ssl.SSLContext, ssl.SSLContext]]
FRAMES = talk.Frames()
NOBODY, EC, RSA = None, talk.identity("client"), talk.identity("rsa client", with_rsa=True)
NO_ONE_ASKS, OPTIONAL, REQUIRED = ssl.CERT_NONE, ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("client", "ask", "requested", "sent"),
    [
        (NOBODY, NO_ONE_ASKS, Seen.NO, Seen.NO),
        (EC, NO_ONE_ASKS, Seen.NO, Seen.NO),
        (NOBODY, OPTIONAL, Seen.YES, Seen.NO),
        (EC, OPTIONAL, Seen.YES, Seen.YES),
        (EC, REQUIRED, Seen.YES, Seen.YES),
        (RSA, REQUIRED, Seen.YES, Seen.YES),
    ],
)
@pytest.mark.parametrize("version", [V12, V13])
def test_client_certificates(
    one: One,
    contexts: Contexts,
    version: ssl.TLSVersion,
    client: Identity | None,
    ask: ssl.VerifyMode,
    requested: Seen,
    sent: Seen,
) -> None:
    found = one(FRAMES.all(talk.Talk(*contexts(version, client, ask)).run()))
    sure = Confidence.CERTAIN if version is V12 else Confidence.HIGH
    assert (found.certificate_requested.seen, found.certificate_requested.confidence) == (requested, sure)
    assert (found.certificate_sent.seen, found.certificate_sent.confidence) == (sent, sure)
    assert found.application_data is Seen.YES and found.resumed.seen is Seen.NO and found.early_data.seen is Seen.NO
    chains = ([view.subject for view in found.server_chain], [view.subject for view in found.client_chain])
    if version is V12:
        assert "CN=server" in chains[0][0] and bool(chains[1]) == (sent is Seen.YES)
        assert found.server_chain[0].sha256 == sha256(_der(talk.identity("server"))).hexdigest()
    else:
        assert chains == ([], [])


def _der(who: Identity) -> bytes:
    return ssl.PEM_cert_to_DER_cert(who.pem().decode())


@pytest.mark.parametrize(("version", "later"), [(V12, False), (V13, False), (V13, True)])
def test_asked_after_the_handshake(one: One, contexts: Contexts, version: ssl.TLSVersion, later: bool) -> None:
    """TLS 1.3 can ask later, which a client that offers it answers with another Finished."""
    client, server = contexts(version, EC, REQUIRED if later else NO_ONE_ASKS)
    client.post_handshake_auth = server.post_handshake_auth = True
    conversation = talk.Talk(client, server)
    conversation.ask_later = later
    found = one(FRAMES.all(conversation.run()))
    assert found.certificate_requested.seen is Seen.NO and found.application_data is Seen.YES
    assert found.asked_later is (Seen.UNKNOWN if later else Seen.NO)


@pytest.mark.parametrize("version", [V12, V13])
def test_hellos(one: One, contexts: Contexts, version: ssl.TLSVersion) -> None:
    client, server = contexts(version)
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])
    found = one(FRAMES.all(talk.Talk(client, server).run()))
    hello, answer = found.hello, found.answer
    assert found.content is Content.TLS and hello is not None and answer is not None
    assert hello.server_name == talk.HOST and hello.alpn == ("h2", "http/1.1")
    assert "TLSv1.2" in hello.versions and ("TLSv1.3" in hello.versions) == (version is V13)
    assert "x25519" in hello.groups and answer.group in hello.groups and answer.cipher in hello.ciphers
    assert answer.version == ("TLSv1.2" if version is V12 else "TLSv1.3")
    assert answer.alpn == ("http/1.1" if version is V12 else "")
    assert bool(hello.key_shares) == (version is V13)
    assert hello.ja4.startswith("t13d" if version is V13 else "t12d") and hello.ja4[8:10] == "h2"


def test_ja4_of_the_published_example() -> None:
    """The example of FoxIO's JA4 page: its raw form, from which its digests follow."""
    ciphers = [
        "002f",
        "0035",
        "009c",
        "009d",
        "1301",
        "1302",
        "1303",
        "c013",
        "c014",
        "c02b",
        "c02c",
        "c02f",
        "c030",
        "cca8",
        "cca9",
    ]
    extensions = [
        "0005",
        "000a",
        "000b",
        "000d",
        "0012",
        "0015",
        "0017",
        "001b",
        "0023",
        "002b",
        "002d",
        "0033",
        "4469",
        "ff01",
    ]
    signatures = ["0403", "0804", "0401", "0503", "0805", "0501", "0806", "0601"]
    shuffled = random.Random(1).sample(ciphers, len(ciphers))
    bodies = {"000d": _vector(2, bytes.fromhex("".join(signatures))), "002b": _vector(1, bytes.fromhex("fafa03040303"))}
    bodies["000a"], bodies["0033"] = _vector(2, b"\0\x1d"), _vector(2, b"")
    parts = [(number, bodies.get(number, b"")) for number in random.Random(2).sample(extensions, len(extensions))]
    parts += [
        ("0000", _vector(2, b"\0" + _vector(2, b"a.test"))),
        ("0010", _vector(2, _vector(1, b"h2"))),
        ("1a1a", b""),
    ]
    block = b"".join(bytes.fromhex(number) + _vector(2, body) for number, body in parts)
    suites = bytes.fromhex("2a2a" + "".join(shuffled))
    body = b"\3\3" + bytes(32) + _vector(1, b"") + _vector(2, suites) + _vector(1, b"\0") + _vector(2, block)
    assert client_hello(body).ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def _vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


@pytest.mark.parametrize("version", [V12, V13])
def test_resumption(one: One, contexts: Contexts, version: ssl.TLSVersion) -> None:
    client, server = contexts(version, EC, REQUIRED)
    server.set_alpn_protocols(["x"])
    first = talk.Talk(client, server)
    first.run()
    again = one(FRAMES.all(talk.Talk(client, server, session=first.result).run()))
    assert (again.resumed.seen, again.resumed.confidence) == (Seen.YES, Confidence.CERTAIN)
    assert again.hello is not None and again.hello.offers_resumption
    assert again.application_data is Seen.YES
    if version is V13:
        assert again.certificate_sent.seen is Seen.UNKNOWN and "resumed" in again.certificate_sent.why


def test_alerts_in_the_clear(one: One, contexts: Contexts) -> None:
    client, server = contexts(V12)
    server.minimum_version = V13
    found = one(FRAMES.all(talk.Talk(client, server).run()))
    assert [(alert.sender, alert.level, alert.name) for alert in found.alerts] == [
        ("server", "fatal", "protocol_version")
    ]
    assert found.answer is None and found.certificate_sent.seen is Seen.UNKNOWN


@pytest.mark.parametrize("version", [V12, V13])
def test_a_certificate_that_is_demanded_and_not_sent(one: One, contexts: Contexts, version: ssl.TLSVersion) -> None:
    found = one(FRAMES.all(talk.Talk(*contexts(version, NOBODY, REQUIRED)).run()))
    assert found.certificate_requested.seen is Seen.YES and found.certificate_sent.seen is Seen.NO
    assert found.application_data is not Seen.YES
    if version is V12:
        assert found.alerts[0].sender == "server" and found.alerts[0].level == "fatal"
    else:
        assert found.encrypted_alerts >= 1


def test_a_client_that_does_not_trust_the_server(one: One, contexts: Contexts) -> None:
    client, server = contexts(V13)
    found = one(FRAMES.all(talk.Talk(client, server, name="another.example.test").run()))
    assert found.certificate_sent.seen is Seen.UNKNOWN and found.application_data is not Seen.YES


@pytest.mark.parametrize("version", [V12, V13])
def test_cut_shuffled_and_repeated(one: One, contexts: Contexts, version: ssl.TLSVersion) -> None:
    """Small segments, out of order and repeated, show the same as large ones in order."""
    turns = talk.Talk(*contexts(version, EC, REQUIRED), answer=b"y" * 40000).run()
    expected = one(FRAMES.all(turns))
    generator = random.Random(3)
    packets = talk.Frames(mss=37).all(turns)
    order = sorted(range(len(packets)), key=lambda number: number + generator.random() * 6 if number > 2 else number)
    shuffled = [packets[number] for number in order]
    shuffled += generator.sample(packets[3:-2], 30)
    found = one(shuffled)
    for field in ("hello", "answer", "server_chain", "client_chain", "certificate_sent", "certificate_requested"):
        assert getattr(found, field) == getattr(expected, field), field
    assert (
        found.received.bytes == expected.received.bytes and found.sent.retransmitted + found.received.retransmitted > 0
    )
    assert not found.sent.missing and found.application_data is Seen.YES


@pytest.mark.parametrize("version", [V12, V13])
def test_a_capture_that_starts_in_the_middle(one: One, contexts: Contexts, version: ssl.TLSVersion) -> None:
    turns = talk.Talk(*contexts(version, EC, REQUIRED), answer=b"y" * 100).run()
    found = one(FRAMES.all(turns)[-6:])
    assert not found.opening_captured and found.hello is None
    assert found.certificate_requested.seen is found.certificate_sent.seen is Seen.UNKNOWN
    assert found.content in (Content.TLS, Content.UNKNOWN)


@pytest.mark.parametrize("lost", range(3, 9))
@pytest.mark.parametrize("version", [V12, V13])
def test_a_lost_packet_makes_nothing_up(one: One, contexts: Contexts, version: ssl.TLSVersion, lost: int) -> None:
    """Whatever is lost: what is said is what happened, or it is not known."""
    packets = FRAMES.all(talk.Talk(*contexts(version, EC, REQUIRED)).run())
    found = one(packets[:lost] + packets[lost + 1 :])
    assert found.certificate_requested.seen in (Seen.YES, Seen.UNKNOWN)
    assert found.certificate_sent.seen in (Seen.YES, Seen.UNKNOWN)
    assert found.resumed.seen in (Seen.NO, Seen.UNKNOWN)
    assert found.application_data in (Seen.YES, Seen.UNKNOWN)


@pytest.mark.parametrize("lost", range(3, 30))
@pytest.mark.parametrize("version", [V12, V13])
def test_a_lost_part_of_a_hello_makes_nothing_up(
    one: One, contexts: Contexts, version: ssl.TLSVersion, lost: int
) -> None:
    """Newer libraries send hellos of several segments; here every message is."""
    packets = talk.Frames(mss=200).all(talk.Talk(*contexts(version, EC, REQUIRED)).run())
    found = one(packets[:lost] + packets[lost + 1 :])
    assert found.certificate_requested.seen in (Seen.YES, Seen.UNKNOWN)
    assert found.certificate_sent.seen in (Seen.YES, Seen.UNKNOWN)
    assert found.resumed.seen in (Seen.NO, Seen.UNKNOWN)
    assert found.application_data in (Seen.YES, Seen.UNKNOWN)


@pytest.mark.parametrize("snaplen", [40, 60, 100, 200, 400, 600])
@pytest.mark.parametrize("version", [V12, V13])
def test_a_snaplen_makes_nothing_up(one: One, contexts: Contexts, version: ssl.TLSVersion, snaplen: int) -> None:
    found = one(FRAMES.all(talk.Talk(*contexts(version, EC, REQUIRED)).run()), snaplen=snaplen)
    assert found.certificate_requested.seen in (Seen.YES, Seen.UNKNOWN)
    assert found.certificate_sent.seen in (Seen.YES, Seen.UNKNOWN)
    assert found.sent.missing and found.resumed.seen in (Seen.NO, Seen.UNKNOWN)
    assert found.application_data in (Seen.YES, Seen.UNKNOWN)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], Seen.NO),
        ([19], Seen.NO),  # the certificate was refused, say
        ([303, 303], Seen.UNKNOWN),  # tickets, or an answer
        ([303, 303, 19], Seen.UNKNOWN),
        ([303, 303, 111], Seen.YES),
        ([111], Seen.UNKNOWN),
        ([500] * 70, Seen.YES),
    ],
)
def test_tickets_and_alerts_are_no_answer(sizes: list[int], expected: Seen) -> None:
    from harness.wire.packets.inference import data_exchanged
    from harness.wire.packets.tls import TlsSide

    def record(size: int) -> bytes:
        return b"\x17\3\3" + size.to_bytes(2, "big") + bytes(size)

    client, server = TlsSide(), TlsSide()
    server.feed(record(900), 1.0)
    client.feed(record(53) + record(106), 2.0)
    for size in sizes:
        server.feed(record(size), 3.0)
    answer = server_hello(b"\3\3" + bytes(32) + b"\0\x13\1\0\0\6\0\x2b\0\2\3\4")
    assert data_exchanged(answer, client, server) is expected


@pytest.mark.parametrize("kept", range(1, 46))
def test_a_hole_in_an_encrypted_record(kept: int) -> None:
    """The record is known by its header; what comes after it is read on."""
    from harness.wire.packets.tls import TlsSide

    finished = b"\x16\3\3\0\x28" + bytes(40)
    side = TlsSide()
    side.feed(b"\x14\3\3\0\1\1" + finished[:kept], 0.0)
    side.skip(len(finished) - kept, 0.0)
    side.feed(b"\x17\3\3\0\x05hello", 0.0)
    assert side.application_records == 1
    assert side.sealed_handshakes == (1 if kept >= 5 else 0)


def test_a_renegotiation_is_seen() -> None:
    from harness.wire.packets.over_tls import _renegotiated
    from harness.wire.packets.tls import TlsSide

    def side(handshakes: int) -> TlsSide:
        made = TlsSide()
        made.feed(b"\x14\3\3\0\1\1" + b"\x16\3\3\0\x20" + bytes(32), 0.0)
        for _ in range(handshakes):
            made.feed(b"\x16\3\3\0\x20" + bytes(32), 0.0)
        return made

    answer = server_hello(b"\3\3" + bytes(32) + b"\0\xc0\x2f\0")
    assert not _renegotiated(answer, side(0), side(0)) and _renegotiated(answer, side(1), side(0))


@pytest.mark.parametrize(
    "body", [b"", b"\3\3", b"\3\3" + bytes(32) + b"\xff", b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0\x09"]
)
def test_no_hello(body: bytes) -> None:
    with pytest.raises(ValueError, match="too short"):
        client_hello(body)
