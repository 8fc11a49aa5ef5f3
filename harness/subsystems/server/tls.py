"""Server side of TLS: contexts, and what becomes of a client certificate.  Knows no HTTP and no tokens.

No session is ever resumed (no cache, no tickets), so a certificate is verified on every connection.  OpenSSL sends the
alert that belongs to the error by itself, because the verify callback only ever confirms its verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from cryptography import x509
from OpenSSL import SSL, _util, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator

from harness.model.vocabulary import Reason
from harness.subsystems.server._twisted import implementer
from harness.subsystems.server.certificates import NO_CRL, Material, Secret, material, reason_of, words_of
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.connection_record import Connection
from harness.subsystems.server.policy import CertificateProblem, Demand, ServerPolicy

ALPN = b"http/1.1"
HANDSHAKE_RECORD = 0x16

_MODES = {
    Demand.NOTHING: SSL.VERIFY_NONE,
    Demand.OPTIONAL: SSL.VERIFY_PEER,
    Demand.REQUIRED: SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
}
_FAILURES = (
    ("peer did not return a certificate", Reason.CERTIFICATE_MISSING, "the client gave no certificate"),
    ("ee key too small", Reason.CERTIFICATE_KEY, "the key of the client's certificate is too weak"),
    ("ca key too small", Reason.CERTIFICATE_KEY, "the key of a CA in the client's chain is too weak"),
    ("ca md too weak", Reason.CERTIFICATE_KEY, "a signature in the client's chain is too weak"),
)

_NO_PROOF = ("bad signature", "unexpected message", "wrong signature", "signature type", "length mismatch")


@dataclass(frozen=True)
class ServerTls:
    """A server's half of TLS: its identity and what it asks of clients."""

    secret: Secret
    demand: Demand


@dataclass(frozen=True)
class Handshake:
    """What the verify callback needs to know of the connection it is called for."""

    record: Connection
    rules: ServerPolicy
    authorities: tuple[Any, ...]

    def judge(self, certificate: crypto.X509, errno: int, depth: int, ok: int) -> bool:
        """OpenSSL's question about one certificate of the chain; fails closed."""
        try:
            return self._judge(certificate, errno, depth, ok)
        except Exception as error:
            self.record.reject(Reason.CERTIFICATE_CHAIN, f"verification failed with {type(error).__name__}: {error}")
            return False

    def _judge(self, certificate: crypto.X509, errno: int, depth: int, ok: int) -> bool:
        observed = certificate.to_cryptography()
        self.record.saw(depth, observed)
        if ok:
            return True
        if errno in NO_CRL or self.rules.tolerates(CertificateProblem(errno, depth, observed, self.authorities)):
            # What made OpenSSL ask may still stand in this thread's error queue, and would then be taken for the
            # failure of the next operation, on whatever connection (SSL_get_error(3)).
            _OPENSSL.ERR_clear_error()
            return True
        self.record.reject(
            reason_of(errno), f"client certificate, depth {depth}: {words_of(errno)} (X509_V_ERR {errno})"
        )
        return False


_OPENSSL: Any = _util.lib
# A connection's app data would be the place, but Twisted 26 puts its own there.
_HANDSHAKES: WeakKeyDictionary[SSL.Connection, Handshake] = WeakKeyDictionary()


@implementer(IOpenSSLServerConnectionCreator)
class ServerConnection:
    """Makes the OpenSSL connection for one accepted TCP connection."""

    def __init__(self, tls: ServerTls, record: Connection, rules: ServerPolicy, clock: LabClock) -> None:
        self._tls, self._clock = tls, clock
        self._handshake = Handshake(record, rules, material(tls.secret).authorities)
        self._resumes = rules.resumes_other_names

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Called by Twisted; certificates are judged at the lab's time."""
        context = server_context(self._tls, self._clock.moved())
        if self._resumes:
            context = named_context(self._tls, self._clock.moved())
        connection = SSL.Connection(context, None)
        _HANDSHAKES[connection] = self._handshake
        return connection


@lru_cache(maxsize=256)
def server_context(tls: ServerTls, moment: datetime | None = None) -> SSL.Context:
    """A context for TLS 1.2 and 1.3 that verifies clients against the CA that issued the server's own certificate.

    *moment* is the time for it (None: the real one).  A context has its moment for good: OpenSSL's store takes a time
    only once, later ones are silently ignored (X509_VERIFY_PARAM_set1 does not overwrite).  Raises UsageError if the
    secret is unusable.
    """
    identity = material(tls.secret)
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    _without_sessions(context)
    _identify(context, identity)
    select: Any = _select_protocol  # pyOpenSSL annotates this parameter as returning None
    context.set_alpn_select_callback(select)
    if tls.demand is not Demand.NOTHING:
        _trust(context, identity, moment)
        context.set_verify(_MODES[tls.demand], _on_certificate)
    return context


@lru_cache(maxsize=64)
def named_context(tls: ServerTls, moment: datetime | None = None) -> SSL.Context:
    """A context that asks for a certificate under the name in its own certificate alone, and resumes any session."""
    identity = material(tls.secret)
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_session_id(b"hopproof")
    _identify(context, identity)
    strict = server_context(tls, moment)
    names = identity.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    own = {name.encode() for name in names.get_values_for_type(x509.DNSName)}

    def named(connection: SSL.Connection) -> None:
        if connection.get_servername() in own:
            connection.set_context(strict)
            connection.set_verify(_MODES[tls.demand], _on_certificate)

    context.set_tlsext_servername_callback(named)
    return context


def failure(text: str, certified: bool) -> tuple[Reason, str]:
    """The reason behind the error text of a failed handshake; *certified*: the client's chain was good until then."""
    for part, reason, words in _FAILURES:
        if part in text:
            return reason, f"{words} ({text})"
    if certified and any(part in text for part in _NO_PROOF):
        return Reason.CERTIFICATE_KEY, f"the client did not prove that it holds the key of its certificate ({text})"
    return Reason.TLS_HANDSHAKE, f"the handshake failed: {text}"


def error_text(error: BaseException | None) -> str:
    """OpenSSL's words in *error*, which is an SSL.Error or whatever else ended the connection."""
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(entry[-1] for entry in error.args[0]) or type(error).__name__
    return str(error) or type(error).__name__


def _without_sessions(context: SSL.Context) -> None:
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)


def _identify(context: SSL.Context, identity: Material) -> None:
    context.use_privatekey(identity.key)
    context.use_certificate(crypto.X509.from_cryptography(identity.chain[0]))
    for intermediate in identity.chain[1:]:
        context.add_extra_chain_cert(crypto.X509.from_cryptography(intermediate))


def _trust(context: SSL.Context, identity: Material, moment: datetime | None) -> None:
    store: Any = context.get_cert_store()
    for authority in identity.authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
        context.add_client_ca(crypto.X509.from_cryptography(authority))
    if identity.revocations is not None:
        store.add_crl(identity.revocations)
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
    if moment is not None:
        store.set_time(moment)


def _on_certificate(connection: SSL.Connection, certificate: crypto.X509, errno: int, depth: int, ok: int) -> bool:
    handshake = _HANDSHAKES.get(connection)
    return handshake is not None and handshake.judge(certificate, errno, depth, ok)


def _select_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS
