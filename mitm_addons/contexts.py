"""pyOpenSSL contexts of a terminating balancer, and the alerts a server sends it.  Knows files and names, no flows."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509

from harness.decode.tls import ALERTS

HTTP1 = b"http/1.1"

AlertHook = Callable[[SSL.Connection, str], None]
"""Called with the connection and the IANA name of a fatal alert that it received."""

_FATAL = 2


def front(certificate: str, *, asks: bool = False) -> SSL.Context:
    """Towards clients: *certificate* is a PEM file with key and chain, leaf first.

    Clients are asked for a certificate if *asks*; whoever has its key may present any, for the server to judge.

    Raises SSL.Error for a file that cannot be used.  No session is ever resumed: each connection is a full handshake.
    """
    context = _context(SSL.TLS_SERVER_METHOD)
    _use(context, certificate)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    select: Any = _http1_only  # pyOpenSSL's stubs have the types of its callback wrong
    context.set_alpn_select_callback(select)
    if asks:
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    return context


def upstream(ca: str | None, client_certificate: str | None, *, verify: bool) -> SSL.Context:
    """Towards the server: trusts only *ca* (PEM, its text or a file).

    It presents *client_certificate* (a PEM file with key and chain) if given.
    Raises SSL.Error for a file that cannot be used.
    """
    context = _context(SSL.TLS_CLIENT_METHOD)
    if ca is not None:
        _trust(context, ca)
    # None, not a callback of our own: only then is it OpenSSL itself that decides.
    context.set_verify(SSL.VERIFY_PEER if verify else SSL.VERIFY_NONE, None)
    if client_certificate is not None:
        _use(context, client_certificate)
    context.set_alpn_protos([HTTP1])
    context.set_info_callback(_tell_alert)
    return context


def upstream_connection(
    context: SSL.Context, server_name: str, *, send_sni: bool, on_alert: AlertHook
) -> SSL.Connection:
    """A connection of *context* that accepts only a certificate for *server_name*, a DNS name or an IP address.

    The name comes from the listener and never from the client's SNI: a client must not choose whom the balancer trusts.
    """
    connection = _Upstream(context)
    _pin(connection, server_name)
    if send_sni and not _is_address(server_name):  # RFC 6066 section 3: no literal addresses in SNI
        connection.set_tlsext_host_name(server_name.encode("idna"))
    connection.set_app_data(on_alert)
    connection.set_connect_state()
    return connection


class _Upstream(SSL.Connection):
    """A connection on which a fatal alert is no close in order.

    Under TLS 1.3 a refused client certificate comes as an alert after the handshake.  OpenSSL then counts the
    connection as shut down, mitmproxy takes that for a close it has handled, and the client would wait for ever.
    """

    alerted = False

    def get_shutdown(self) -> int:
        """OpenSSL's flags, without the one that a fatal alert sets."""
        flags = super().get_shutdown()
        return flags & ~SSL.RECEIVED_SHUTDOWN if self.alerted else flags


def front_connection(context: SSL.Context) -> SSL.Connection:
    """A connection of *context* that waits for a ClientHello."""
    connection = SSL.Connection(context)
    connection.set_accept_state()
    return connection


def _context(method: int) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION)
    return context


def _trust(context: SSL.Context, ca: str) -> None:
    if "-----BEGIN" not in ca:
        context.load_verify_locations(ca)
        return
    store = context.get_cert_store()
    for certificate in x509.load_pem_x509_certificates(ca.encode()):
        store.add_cert(X509.from_cryptography(certificate))  # type: ignore[union-attr]  # a context has a store


def _use(context: SSL.Context, pem: str) -> None:
    context.use_certificate_chain_file(pem)
    context.use_privatekey_file(pem)
    context.check_privatekey()


def _http1_only(_connection: SSL.Connection, offered: list[bytes]) -> Any:
    """HTTP/1.1 alone: a request is an exchange to record, and mitmproxy's h2 with lazy upstreams ends after each."""
    return HTTP1 if HTTP1 in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def _tell_alert(connection: SSL.Connection, where: int, code: int) -> None:
    """OpenSSL's info callback: the one place that sees a TLS 1.3 alert which comes after the handshake."""
    if where & SSL.SSL_CB_READ_ALERT == SSL.SSL_CB_READ_ALERT and code >> 8 == _FATAL:
        number = code & 0xFF
        connection.alerted = True  # type: ignore[attr-defined]  # of _Upstream, which alone has this callback
        hook: AlertHook = connection.get_app_data()
        hook(connection, ALERTS.get(number, f"number {number}"))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _pin(connection: SSL.Connection, server_name: str) -> None:
    """pyOpenSSL has no public call for the expected name; this is the way mitmproxy's own TlsConfig takes."""
    lib: Any = SSL._lib  # type: ignore[attr-defined]  # private in pyOpenSSL's stubs
    param = lib.SSL_get0_param(connection._ssl)
    lib.X509_VERIFY_PARAM_set_hostflags(
        param, lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | getattr(lib, "X509_CHECK_FLAG_NEVER_CHECK_SUBJECT", 0)
    )
    if _is_address(server_name):
        packed = ipaddress.ip_address(server_name).packed
        done = lib.X509_VERIFY_PARAM_set1_ip(param, packed, len(packed))
    else:
        name = server_name.encode("idna")
        done = lib.X509_VERIFY_PARAM_set1_host(param, name, len(name))
    if done != 1:
        raise ValueError(f"OpenSSL does not take {server_name!r} as a server name")
