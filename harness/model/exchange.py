"""Exchange: the facts of one case, as the client, the balancer and the server saw them.  No opinion is in here.

The three views are what crosses process borders and what ``run.jsonl`` keeps as evidence, so each converts to and from
plain JSON (``to_json`` / ``from_json``).  Tokens appear as :class:`TokenView` only: header, claims and a digest, never
the signature.  Ports are TCP ports on loopback, digests are lower-case hex SHA-256, times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from harness.model.observations import Observations
from harness.model.record import Evidence, Members
from harness.model.script_facts import Facts


@dataclass(frozen=True)
class TokenView:
    """A JWT as a report may show it.  ``header`` and ``claims`` are None where they could not be decoded."""

    sha256: str
    header: Members | None = None
    claims: Members | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> TokenView | None:
        """From :meth:`Exchange.to_json`\'s or the lab protocol\'s form."""
        return None if data is None else cls(data["sha256"], data.get("header"), data.get("claims"))


@dataclass(frozen=True)
class CertificateView:
    """One certificate of a presented chain; names are RFC 4514 strings."""

    subject: str
    issuer: str
    sha256: str

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CertificateView:
        """From :meth:`Exchange.to_json`\'s or the lab protocol\'s form."""
        return cls(data["subject"], data["issuer"], data["sha256"])


@dataclass(frozen=True)
class Response:
    """An HTTP response as the client received it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclass(frozen=True)
class ClientView:
    """What the client sent and got back.

    ``established`` says that *this side's* handshake finished: under TLS 1.3 that is before the server has judged the
    client's certificate, so a rejection shows as an ``alert`` (RFC 8446 section 6, names as in the registry, lower
    case) or as ``closed`` (end of stream without an answer).  ``fault`` is a failure of the network or of the harness
    itself (refused, timed out), in words.  ``switched`` is the protocol to which an answer 101 has switched the
    connection.  ``token`` and ``client_chain`` are what it presented.  ``handshake_sha256`` digests the client's
    Finished message (RFC 8446 section 4.4.4): both ends of one TLS connection have the same, and no other connection
    has it.
    """

    local_port: int | None = None
    peer_port: int | None = None
    established: bool = False
    tls_version: str = ""
    server_chain: tuple[CertificateView, ...] = ()
    server_refused: str = ""
    alert: str = ""
    closed: bool = False
    timed_out: bool = False
    response: Response | None = None
    sent_sha256: str = ""
    body_sha256: str = ""
    authorization_sha256: str = ""
    token: TokenView | None = None
    client_chain: tuple[CertificateView, ...] = ()
    handshake_sha256: str = ""
    fault: str = ""
    ms: float = 0.0
    switched: str = ""


@dataclass(frozen=True)
class RequestView:
    """One HTTP request as a balancer or a server saw it.

    ``decision`` is ``accepted`` or ``rejected`` at a server; at a balancer it says who answered: ``upstream`` or
    ``balancer``.  ``authorization_sha256`` digests the whole header value, '' where there was none.  ``digested`` False
    says that the observer of the request reports no digests (the log of a balancer that is not ours).
    """

    method: str
    path: str
    nonce: str
    status: int | None = None
    decision: str = ""
    reason: str = ""
    detail: str = ""
    token: TokenView | None = None
    authorization_sha256: str = ""
    body_sha256: str = ""
    body_bytes: int = 0
    digested: bool = True

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RequestView:
        """From :meth:`Exchange.to_json`\'s or the lab protocol\'s form."""
        return cls(**{**data, "token": TokenView.from_json(data.get("token"))})


@dataclass(frozen=True)
class ServerView:
    """One connection as the server saw it, reported when it ended.  ``rejected`` is a Reason at the TLS level, or '';
    ``handshake_sha256`` is what :class:`ClientView` has, as the server saw it."""

    listener: str
    local_port: int
    peer_port: int
    established: bool = False
    tls_version: str = ""
    sni: str = ""
    client_chain: tuple[CertificateView, ...] = ()
    rejected: str = ""
    detail: str = ""
    requests: tuple[RequestView, ...] = ()
    handshake_sha256: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ServerView:
        """From :meth:`Exchange.to_json`\'s or the lab protocol\'s form."""
        return cls(**_connection(data))


@dataclass(frozen=True)
class BalancerView:
    """One connection as the balancer saw it, reported when it ended.

    ``established`` is the handshake the *balancer* did with the client (never, on a passthrough); ``upstream_port`` is
    the balancer's own local port towards the server (None: it never connected); ``upstream_established`` its own
    handshake with the server; ``upstream_error`` why that failed.  A passthrough's ``requests`` must be empty.
    """

    listener: str
    mode: str
    local_port: int
    peer_port: int
    established: bool = False
    tls_version: str = ""
    sni: str = ""
    upstream_port: int | None = None
    upstream_established: bool = False
    upstream_error: str = ""
    detail: str = ""
    requests: tuple[RequestView, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BalancerView:
        """From :meth:`Exchange.to_json`\'s or the lab protocol\'s form."""
        return cls(**_connection(data))


def _connection(data: Mapping[str, Any]) -> Members:
    fields = {key: value for key, value in data.items() if key != "kind"}
    fields["requests"] = tuple(RequestView.from_json(request) for request in data.get("requests", ()))
    if "client_chain" in data:
        fields["client_chain"] = tuple(CertificateView.from_json(item) for item in data["client_chain"])
    return fields


@dataclass(frozen=True)
class Exchange:
    """All facts of one case.  A view is None where that side could not be observed.

    ``effect`` says whether the server *did* what was asked (registration made, event kept), read from its state after
    the exchange; None = not observable.  ``extra`` carries what only some cases have;
    ``steps`` are the facts of a script, step by step.
    """

    nonce: str
    client: ClientView | None = None
    balancer: BalancerView | None = None
    server: ServerView | None = None
    effect: bool | None = None
    extra: Observations = field(default_factory=Observations)
    lab_fault: str = ""
    steps: tuple[Facts, ...] = ()

    def to_json(self) -> Evidence:
        """Plain JSON; members of views that say nothing are left out, what a token or a target said stays."""
        slim: Evidence = _slim(replace(self, steps=()))
        if self.steps:
            slim["extra"] = {**self.extra, "steps": [facts.to_json() for facts in self.steps]}
        return slim


def _slim(value: Any) -> Any:
    if is_dataclass(value):
        members = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: _slim(item) for name, item in members if item not in (None, "", (), {})}
    return [_slim(item) for item in value] if isinstance(value, tuple) else value
