"""What one connection was, collected while it lasts and reported once, when it is over.  Decides nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509

from harness.decode.certificates import view
from harness.decode.tokens import bearer, describe
from harness.model import protocol
from harness.model.exchange import RequestView, ServerView
from harness.model.vocabulary import Reason
from harness.subsystems.server.rejection import Rejected

ACCEPTED, REJECTED = "accepted", "rejected"
MAX_NONCE = 128


@dataclass(frozen=True)
class HttpRequest:
    """An HTTP request, complete.  ``authorization`` has the value of every Authorization field, in their order;
    ``headers`` the last value of every field by its name in lower case; ``tls_version``, ``sni`` and the client's
    ``certificate`` are those of its connection."""

    method: str
    path: str
    query: bytes
    authorization: tuple[bytes, ...]
    nonce: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    tls_version: str = ""
    sni: str = ""
    certificate: x509.Certificate | None = None


@dataclass
class Connection:
    """One TCP connection.  ``chain`` is the verified chain, or what was seen of it before it was rejected, leaf first;
    ``pending`` counts requests that are not answered yet."""

    listener: str
    local_port: int
    peer_port: int
    established: bool = False
    tls_version: str = ""
    sni: str = ""
    chain: tuple[x509.Certificate, ...] = ()
    rejected: str = ""
    detail: str = ""
    requests: list[RequestView] = field(default_factory=list)
    pending: int = 0
    handshake_sha256: str = ""
    _seen: dict[int, x509.Certificate] = field(default_factory=dict)

    def saw(self, depth: int, certificate: x509.Certificate) -> None:
        """Note a certificate of the client's chain while it is being verified; depth 0 is the client's own."""
        self._seen[depth] = certificate
        self.chain = tuple(self._seen[depth] for depth in sorted(self._seen))

    @property
    def peer(self) -> x509.Certificate | None:
        """The client's certificate, None if it gave none."""
        return self.chain[0] if self.established and self.chain else None

    def reject(self, reason: Reason, detail: str) -> None:
        """Note why the connection is turned away; the first reason stays."""
        if not self.rejected:
            self.rejected, self.detail = reason.value, detail

    def message(self) -> protocol.Connection:
        """The event for the parent."""
        observed = ServerView(
            self.listener,
            self.local_port,
            self.peer_port,
            self.established,
            self.tls_version,
            self.sni,
            tuple(view(certificate) for certificate in self.chain),
            self.rejected,
            self.detail,
            tuple(self.requests),
            self.handshake_sha256,
        )
        return protocol.Connection(observed)


def request_view(ask: HttpRequest, status: int | None, rejection: Rejected | None) -> RequestView:
    """How *ask* was answered.  Several Authorization fields are digested as the one value they combine to."""
    value = b", ".join(ask.authorization)
    compact = bearer(value.decode("utf-8", "surrogateescape")) if value else None
    return RequestView(
        method=ask.method,
        path=ask.path,
        nonce=ask.nonce,
        status=status,
        decision=REJECTED if rejection else ACCEPTED,
        reason=rejection.reason.value if rejection else "",
        detail=rejection.detail if rejection else "",
        token=describe(compact) if compact else None,
        authorization_sha256=hashlib.sha256(value).hexdigest() if ask.authorization else "",
        body_sha256=hashlib.sha256(ask.body).hexdigest(),
        body_bytes=len(ask.body),
    )
