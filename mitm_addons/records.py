"""Collects what the balancer saw of a connection, as facts for a report: no raw token and no body enters one."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mitmproxy.connection import Client, Connection, Server
from mitmproxy.http import HTTPFlow, Request
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

from harness.decode.redaction import redact
from harness.decode.tokens import bearer, describe
from harness.model.exchange import BalancerView, RequestView, TokenView
from mitm_addons.listeners import OpenListener
from mitm_addons.streams import keep_last_words

NONCE_HEADER = "X-Hopproof-Case"
MAX_TEXT = 500


def shown(text: str) -> str:
    """*text* as a report may hold it: valid Unicode, bounded, without tokens."""
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return redact(clean)[:MAX_TEXT]


@dataclass
class Seen:
    """One request as it came from the client, before any behaviour touched it; ``forwarded`` = let through upstream."""

    method: str
    path: str
    nonce: str
    authorization_sha256: str
    token: TokenView | None
    body_sha256: str = ""
    body_bytes: int = 0
    status: int | None = None
    decision: str = ""
    detail: str = ""
    forwarded: bool = False

    @classmethod
    def of(cls, request: Request) -> Seen:
        """Reads *request*.  The path loses its query, where a token may stand (RFC 6750 section 2.3)."""
        values = [value for name, value in request.headers.fields if name.lower() == b"authorization"]
        value = b", ".join(values) if values else None  # RFC 9110 section 5.3: equal to the lines one by one
        body = request.raw_content
        return cls(
            method=shown(request.method),
            path=shown(request.path.partition("?")[0]),
            nonce=shown(request.headers.get(NONCE_HEADER, "")),
            authorization_sha256="" if value is None else hashlib.sha256(value).hexdigest(),
            token=_token(value),
            body_sha256="" if body is None else hashlib.sha256(body).hexdigest(),
            body_bytes=len(body or b""),
        )

    def view(self) -> RequestView:
        """The request as the report holds it."""
        return RequestView(
            method=self.method,
            path=self.path,
            nonce=self.nonce,
            status=self.status,
            decision=self.decision,
            detail=self.detail,
            token=self.token,
            authorization_sha256=self.authorization_sha256,
            body_sha256=self.body_sha256,
            body_bytes=self.body_bytes,
        )


@lru_cache(maxsize=64)
def _token(value: bytes | None) -> TokenView | None:
    """What may be shown of it; a connection that is kept brings the same one again and again."""
    compact = None if value is None else bearer(value.decode("utf-8", "surrogateescape"))
    return describe(compact) if compact else None


@dataclass
class Track:
    """Everything known of one accepted TCP connection until it ends."""

    opened: OpenListener
    handler: ProxyConnectionHandler
    client: Client
    servers: list[Server] = field(default_factory=list)
    upstream_error: str = ""
    sni: str = ""
    notes: list[str] = field(default_factory=list)
    requests: dict[str, Seen] = field(default_factory=dict)
    writers: list[Any] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def keep(self, connection: Connection) -> None:
        """Takes charge of *connection*'s streams: what the peer says last is read, and in the end they are closed."""
        io = self.handler.transports[connection]
        keep_last_words(io.reader, io.writer)
        self.writers.append(io.writer)

    def end(self) -> None:
        """Closes what mitmproxy left open: a second CloseConnection interrupts its handler before it closes."""
        for writer in self.writers:
            writer.close()
        self.ended.set()

    def note(self, text: str) -> None:
        """Adds *text* to what ``detail`` will say."""
        self.notes.append(shown(text))

    def upstream_failed(self, why: str) -> None:
        """Keeps the first reason: what follows (reset, end of stream) is only its echo."""
        self.upstream_error = self.upstream_error or shown(why)

    def seen(self, flow: HTTPFlow) -> Seen:
        """The record of *flow*'s request, made from the request as it stands when this is first called."""
        if flow.id not in self.requests:
            self.requests[flow.id] = Seen.of(flow.request)
        return self.requests[flow.id]

    def answered(self, flow: HTTPFlow, status: int) -> None:
        """Says that *flow* is answered with *status*: by the server if it was let through to it."""
        observed = self.seen(flow)
        observed.status, observed.decision = status, "upstream" if observed.forwarded else "balancer"

    def refused(self, status: int, why: str) -> None:
        """Says that the balancer itself answers the request in progress with *status*, or a message that is none."""
        pending = [observed for observed in self.requests.values() if observed.status is None]
        if pending:
            pending[-1].status, pending[-1].decision, pending[-1].detail = status, "balancer", shown(why)
        else:
            self.note(f"answered {status} by the balancer: {why}")

    def abort(self, connection: Connection) -> None:
        """Cuts *connection* without sending what is still buffered for it."""
        io = self.handler.transports.get(connection)
        transport: Any = getattr(io and io.writer, "transport", None)
        if transport is not None:
            transport.abort()

    def view(self) -> BalancerView:
        """The facts as of now: everything about the TLS legs is read from mitmproxy's own connection objects."""
        connected = [server for server in self.servers if server.timestamp_tcp_setup]
        ports = [server.sockname[1] for server in connected if server.sockname]
        if len(ports) > 1:
            self.note(f"{len(ports)} upstream connections, from ports {ports}")
        errors = [server.error for server in self.servers if server.error]
        return BalancerView(
            listener=self.opened.listener.id,
            mode=self.opened.listener.mode,
            local_port=self.opened.port,
            peer_port=self.client.peername[1],
            established=self.client.timestamp_tls_setup is not None,
            tls_version=self.client.tls_version or "",
            sni=shown(self.client.sni or self.sni),
            upstream_port=ports[0] if ports else None,
            upstream_established=any(server.timestamp_tls_setup for server in connected),
            upstream_error=self.upstream_error or shown(errors[0] if errors else ""),
            detail="; ".join(self.notes),
            requests=tuple(observed.view() for observed in self.requests.values()),
        )
