"""mTLS servers of others: OpenSSL notes what is wrong with a client's certificate, and each lets some of it pass."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from cryptography import x509
from OpenSSL import SSL

# What X509_verify_cert reports (openssl/x509_vfy.h), here with the depth of the certificate it is reported for.
SIGNATURE, NOT_YET, EXPIRED, SELF_SIGNED, ROOT_SENT, NO_ISSUER, UNVERIFIED = 7, 9, 10, 18, 19, 20, 21
PATH_LENGTH, PURPOSE, CERTSIGN, CRITICAL, NAME_OUTSIDE, WEAK_KEY, NO_CA = 25, 26, 32, 34, 47, 66, 79
LEAF, ISSUER = 0, 1

Sent = tuple[x509.Certificate, ...]  # the client's own first


@dataclass(frozen=True)
class Fault:
    """What OpenSSL reports: the code, and how many certificates above the client's it was found."""

    code: int
    depth: int


class Server:
    """Serves a client whose chain OpenSSL finds right, whose subject is *subject*, and who is not among *revoked*."""

    def __init__(self, subject: x509.Name, revoked: Iterable[int] = ()) -> None:
        self.subject, self._revoked = subject, frozenset(revoked)

    def serves(self, sent: Sent, faults: frozenset[Fault]) -> bool:
        """Whether a client that sent these certificates gets in."""
        if not sent:
            return self.anonymous()
        found = frozenset(fault for fault in faults if not self.overlooks(fault, sent))
        return not found and self.knows(sent[0]) and not self.revoked(sent[0]) and self.likes(sent)

    def anonymous(self) -> bool:
        """Whether a client without a certificate gets in."""
        return False

    def overlooks(self, fault: Fault, sent: Sent) -> bool:
        """Whether *fault* does not matter here."""
        return False

    def knows(self, certificate: x509.Certificate) -> bool:
        """Whether the certificate is the one client's: the same subject, octet for octet."""
        return certificate.subject.public_bytes() == self.subject.public_bytes()

    def revoked(self, certificate: x509.Certificate) -> bool:
        """Whether the CA took the certificate back."""
        return certificate.serial_number in self._revoked

    def likes(self, sent: Sent) -> bool:
        """Whether a chain that OpenSSL likes is liked here too."""
        return True


class _Listener(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, server: Server, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.judge, self.folder = server, folder

    def context(self, faults: set[Fault]) -> SSL.Context:
        """For one connection: asks for a certificate, and adds what is wrong with it to *faults*."""

        def note(_connection: SSL.Connection, _certificate: object, code: int, depth: int, _ok: int) -> bool:
            if code:
                faults.add(Fault(code, depth))
            return True

        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(str(self.folder / "server.pem"))
        context.use_privatekey_file(str(self.folder / "server.key"))
        context.load_verify_locations(str(self.folder / "root.pem"))
        context.set_verify(SSL.VERIFY_PEER, note)  # the server, not the handshake, says no
        return context


class _Handler(BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        """One request a connection."""
        faults: set[Fault] = set()
        connection = SSL.Connection(self.server.context(faults), self.request)
        connection.set_accept_state()
        with contextlib.suppress(SSL.Error, OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            first, others = connection.get_peer_certificate(), connection.get_peer_cert_chain() or []
            sent = tuple(one.to_cryptography() for one in (first, *others) if one is not None)
            status = b"200 OK" if self.server.judge.serves(sent, frozenset(faults)) else b"403 Forbidden"
            connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.shutdown()


@contextlib.contextmanager
def serving(server: Server, folder: Path) -> Iterator[int]:
    """*server* on loopback with the certificate and the trust anchor that *folder* has; the port."""
    with _Listener(server, folder) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield int(listener.server_address[1])
        finally:
            listener.shutdown()
            thread.join()
