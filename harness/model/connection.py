"""What packets show of one TCP connection.  Facts only; what they mean is judged elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from harness.model.exchange import CertificateView, TokenView


class Content(StrEnum):
    """What the bytes of a connection are."""

    TLS = "tls"
    HTTP = "http"
    HTTP2 = "http2"
    OTHER = "other"
    EMPTY = "empty"
    UNKNOWN = "unknown"
    """It starts before the capture does, or its first bytes were not captured."""


class Seen(StrEnum):
    """Whether something happened, as far as the packets show."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """How sure an observation is: read from clear text, or inferred from sizes and counts of encrypted records."""

    CERTAIN = "certain"
    HIGH = "high"
    MEDIUM = "medium"
    NONE = "none"


@dataclass(frozen=True)
class Endpoint:
    """One end of a connection."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class KeyShare:
    """A key share of a hello: its group, and the SHA-256 of the public value."""

    group: str
    sha256: str


@dataclass(frozen=True)
class ClientHello:
    """What a client offers.  ``sha256`` is the digest of the whole message."""

    random: str
    session_id: str
    versions: tuple[str, ...]
    ciphers: tuple[str, ...]
    groups: tuple[str, ...]
    key_shares: tuple[KeyShare, ...]
    server_name: str
    alpn: tuple[str, ...]
    ja4: str
    sha256: str
    early_data: bool = False
    offers_resumption: bool = False
    post_handshake_auth: bool = False
    encrypted_client_hello: bool = False


@dataclass(frozen=True)
class ServerHello:
    """What a server chooses.  ``hash_size`` is that of the cipher suite's hash in TLS 1.3, else 0."""

    random: str
    version: str
    cipher: str
    group: str
    session_id: str
    alpn: str
    resumes: bool = False
    retry: bool = False
    hash_size: int = 0


@dataclass(frozen=True)
class Alert:
    """A TLS alert that was sent in the clear."""

    sender: str
    level: str
    name: str


@dataclass(frozen=True)
class Inference:
    """An observation, how sure it is, and why."""

    seen: Seen
    confidence: Confidence
    why: str


UNSEEN = Inference(Seen.UNKNOWN, Confidence.NONE, "")


@dataclass(frozen=True)
class HttpRequest:
    """A request in clear text.  ``scheme`` is that of its Authorization header, '' without one; ``status`` is that of
    the answer, None without one.  A bearer token is kept as header, claims and digest only."""

    method: str
    path: str
    host: str
    scheme: str = ""
    token: TokenView | None = None
    status: int | None = None


@dataclass(frozen=True)
class Opened:
    """What a key log shows inside a TLS connection: a request without its token, or an answer's status."""

    ends: str
    text: str


@dataclass(frozen=True)
class Traffic:
    """What one side sent.  ``missing`` counts the bytes that its sequence numbers prove and the capture lacks."""

    packets: int = 0
    bytes: int = 0
    missing: int = 0
    retransmitted: int = 0


@dataclass(frozen=True)
class Connection:
    """One TCP connection as captured.  ``client_by`` says how client and server were distinguished."""

    client: Endpoint
    server: Endpoint
    client_by: str
    content: Content
    started: float
    ended: float
    opening_captured: bool
    closed: str = ""
    hello: ClientHello | None = None
    answer: ServerHello | None = None
    server_chain: tuple[CertificateView, ...] = ()
    client_chain: tuple[CertificateView, ...] = ()
    certificate_requested: Inference = UNSEEN
    certificate_sent: Inference = UNSEEN
    resumed: Inference = UNSEEN
    early_data: Inference = UNSEEN
    application_data: Seen = Seen.UNKNOWN
    renegotiated: bool = False
    asked_later: Seen = Seen.UNKNOWN
    """Whether the server asked for a certificate after the handshake, by a renegotiation or as TLS 1.3 has it."""
    alerts: tuple[Alert, ...] = ()
    encrypted_alerts: int = 0
    requests: tuple[HttpRequest, ...] = ()
    requests_left_out: int = 0
    statuses: tuple[int, ...] = ()
    sent: Traffic = field(default_factory=Traffic)
    received: Traffic = field(default_factory=Traffic)
    files: tuple[str, ...] = ()
    proxy_header: bool = False
    first_answer_after: float | None = None
    notes: tuple[str, ...] = ()
