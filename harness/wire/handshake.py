"""What a server shows and asks for in a TLS handshake that no trust decision ends.  Sends no request; judges nothing.

pyOpenSSL, because the standard library says neither whether a certificate was asked for nor which CAs were named.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cryptography import x509
from OpenSSL import SSL

from harness.decode.tls import alert_name
from harness.wire.send import ANSWER_SECONDS, CONNECT_SECONDS, Address

_REQUESTED = b"server certificate request"
VERSIONS = {
    "TLSv1": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}


@dataclass(frozen=True)
class Handshake:
    """The facts of one handshake.

    ``asked`` says that the server sent a CertificateRequest, ``authorities`` which CAs it named in it.  ``fault`` is
    a failure of the network, ``failed`` how TLS ended where it did not succeed (an alert's name, or words).
    """

    connected: bool = False
    local_port: int | None = None
    established: bool = False
    version: str = ""
    asked: bool = False
    authorities: tuple[str, ...] = ()
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    protocol: str = ""
    fault: str = ""
    failed: str = ""


def look(
    address: Address, protocols: Sequence[str] = (), version: str = "", seconds: float = ANSWER_SECONDS
) -> Handshake:
    """Shake hands without a client certificate, offering *protocols* (ALPN) and, where it is given, only *version*."""
    try:
        raw = socket.create_connection((address.host, address.port), min(seconds, CONNECT_SECONDS))
    except OSError as error:
        return Handshake(fault=f"cannot connect to {address.host}:{address.port}: {error.strerror or error}")
    with raw:
        asked: list[bool] = []
        connection = SSL.Connection(_context(protocols, version, asked), raw)
        if not _is_address(address.server_name):
            connection.set_tlsext_host_name(address.server_name.encode("ascii", "ignore"))
        connection.set_connect_state()
        raw.setblocking(False)
        facts = Handshake(connected=True, local_port=raw.getsockname()[1])
        try:
            _shake(connection, raw, time.monotonic() + seconds)
        except TimeoutError:
            return replace(facts, fault=f"no TLS handshake within {seconds:.0f} s")
        except SSL.Error as error:
            return replace(facts, asked=bool(asked), failed=_failure(error))
        except OSError as error:
            return replace(facts, asked=bool(asked), failed=error.strerror or str(error))
        return _seen(connection, facts, asked=bool(asked))


def _context(protocols: Sequence[str], version: str, asked: list[bool]) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    if protocols:
        context.set_alpn_protos([name.encode() for name in protocols])
    if version:
        # What is old is only looked at: whether a server still speaks it is what is asked.
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        context.set_min_proto_version(VERSIONS[version])
        context.set_max_proto_version(VERSIONS[version])

    def seen(connection: SSL.Connection, _where: int, _code: int) -> None:
        if _REQUESTED in connection.get_state_string():
            asked.append(True)

    context.set_info_callback(seen)
    return context


def _shake(connection: SSL.Connection, raw: socket.socket, deadline: float) -> None:
    while True:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            _wait(raw, deadline, reads=True)
        except SSL.WantWriteError:
            _wait(raw, deadline, reads=False)
        else:
            return


def _wait(raw: socket.socket, deadline: float, *, reads: bool) -> None:
    left = deadline - time.monotonic()
    waiting: list[socket.socket] = [raw]
    if left <= 0 or not any(select.select(waiting if reads else [], [] if reads else waiting, [], left)):
        raise TimeoutError


def _seen(connection: SSL.Connection, facts: Handshake, *, asked: bool) -> Handshake:
    names = (_name(item.get_components()) for item in connection.get_client_ca_list())
    return replace(
        facts,
        established=True,
        asked=asked,
        version=connection.get_protocol_version_name(),
        authorities=tuple(names),
        chain=_chain(connection),
        protocol=connection.get_alpn_proto_negotiated().decode("latin-1"),
    )


def _name(parts: Sequence[tuple[bytes, bytes]]) -> str:
    """As RFC 4514 writes it, the last part first; without its escapes, since it is only shown."""
    return ",".join(f"{kind.decode('latin-1')}={value.decode('utf-8', 'replace')}" for kind, value in reversed(parts))


def _chain(connection: SSL.Connection) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(item.to_cryptography() for item in connection.get_peer_cert_chain() or ())
    except ValueError:  # OpenSSL takes certificates that the library cannot read
        return ()


def _failure(error: SSL.Error) -> str:
    if isinstance(error, SSL.SysCallError):
        return "the connection was closed"
    reasons = [part[-1] for part in (error.args[0] if error.args else ()) if isinstance(part, tuple) and part]
    alerts = filter(None, map(alert_name, reasons))
    return next(alerts, "; ".join(filter(None, reasons))) or "the connection was closed"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
