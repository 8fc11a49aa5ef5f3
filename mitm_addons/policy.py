"""The hooks: which connection may become what, and what a terminating balancer does to a request.  Denies by default.

mitmproxy swallows an exception in a hook and goes on, so each hook denies first and lifts that as its last step.
mitmproxy's own NextLayer and TlsConfig are left out for the same reason: where a hook of ours fails there must be
no party that relays clear text or presents a certificate in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from mitmproxy.connection import Client, Server
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from harness.model.protocol import Behaviours
from mitm_addons import contexts
from mitm_addons.layers import FrontTLS, Passthrough, Refuse, looks_like_tls, page
from mitm_addons.records import Track

_DENIED = "the balancer denies what it could not check"
# Made once, since nearly every request is let through after all; who is denied gets them as they are.
_DENIAL, _UNANSWERED = page(500, _DENIED), page(502, _DENIED)
_log = logging.getLogger(__name__)


class Policy:
    """One addon for both modes.  *tracks* is shared with the server, which fills and empties it (key: client id)."""

    name = "nextlayer"  # the name under which mitmproxy looks for the addon that chooses layers

    def __init__(self, tracks: dict[str, Track]) -> None:
        self._tracks = tracks

    # The hooks, in the order in which a connection meets them; mitmproxy calls each by its name.

    def next_layer(self, nextlayer: NextLayer) -> None:
        """Lets TLS in and nothing else, whatever came before it."""
        with self._failing_closed(nextlayer.context.client, "next_layer") as ok:
            is_tls = looks_like_tls(_first_bytes(nextlayer))
            if is_tls is None:
                return  # nothing is relayed before the first three bytes are there
            if is_tls:
                nextlayer.layer = self._layer(nextlayer)
        if nextlayer.layer is None:
            nextlayer.layer = Refuse(nextlayer.context)
            if ok:
                self._tracks[nextlayer.context.client.id].note("refused: not TLS")

    def _layer(self, nextlayer: NextLayer) -> Passthrough | FrontTLS:
        track = self._tracks[nextlayer.context.client.id]
        kind = Passthrough if track.opened.listener.mode == "passthrough" else FrontTLS
        return kind(nextlayer.context, track)

    def tls_start_client(self, data: TlsData) -> None:
        """Offers the listener's front certificate."""
        with self._failing_closed(data.context.client, "tls_start_client"):  # without ssl_conn mitmproxy closes
            front = self._tracks[data.context.client.id].opened.front
            if front is not None:
                data.ssl_conn = contexts.front_connection(front)

    def tls_start_server(self, data: TlsData) -> None:
        """Prepares a handshake that verifies the listener's server."""
        with self._failing_closed(data.context.client, "tls_start_server"):  # without ssl_conn mitmproxy closes
            track = self._tracks[data.context.client.id]
            if track.opened.upstream is not None and isinstance(data.conn, Server):
                data.ssl_conn = _upstream(track, data.conn, track.opened.upstream)

    def tls_failed_server(self, data: TlsData) -> None:
        """Records why, and tells the server."""
        with self._failing_closed(data.context.client, "tls_failed_server"):
            self._tracks[data.context.client.id].upstream_failed(data.conn.error or "handshake failed")
            _flush_alert(self._tracks[data.context.client.id], data)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Permits the listener's own server only."""
        objection, data.server.error = data.server.error, _DENIED
        with self._failing_closed(data.client, "server_connect"):
            track = self._tracks[data.client.id]
            track.servers.append(data.server)
            listener = track.opened.listener
            if data.server.address != (listener.upstream_host, listener.upstream_port):
                raise LookupError("another address than this listener's server")
            data.server.error = objection

    def server_connected(self, data: ServerConnectionHookData) -> None:
        """Keeps the server's last words readable."""
        track = self._tracks.get(data.client.id)
        with self._failing_closed(data.client, "server_connected") as ok:
            self._tracks[data.client.id].keep(data.server)
        if not ok and track:
            track.abort(data.server)

    def request(self, flow: HTTPFlow) -> None:
        """Records the request as it came, then applies the behaviours."""
        flow.response = _DENIAL
        with self._failing_closed(flow.client_conn, "request"):
            track = self._tracks[flow.client_conn.id]
            observed = track.seen(flow)
            _behave(flow, track.opened.listener.behaviours)
            observed.forwarded = True
            flow.response = None

    def response(self, flow: HTTPFlow) -> None:
        """Records who answered what."""
        answer, flow.response = flow.response, _UNANSWERED
        with self._failing_closed(flow.client_conn, "response"):
            if answer is None:
                raise LookupError("a response hook without a response")
            self._tracks[flow.client_conn.id].answered(flow, answer.status_code)
            flow.response = answer

    def error(self, flow: HTTPFlow) -> None:
        """Records an exchange that came to nothing."""
        with self._failing_closed(flow.client_conn, "error"):
            track = self._tracks[flow.client_conn.id]
            observed = track.seen(flow)
            reason = (flow.error.msg if flow.error else "").partition(":")[0]  # what follows may quote the peer
            if (
                observed.forwarded
                and flow.server_conn.timestamp_tls_setup
                and not reason.startswith("Client disconnected")
            ):
                track.upstream_failed(reason)
            observed.detail = observed.detail or reason

    @contextlib.contextmanager
    def _failing_closed(self, client: Client, hook: str) -> Iterator[list[bool]]:
        """Tells an exception in the record and ends it here: what was denied before it stays denied."""
        done: list[bool] = []
        try:
            yield done
            done.append(True)
        except Exception as error:
            _log.exception("denied: %s raised", hook)
            if track := self._tracks.get(client.id):
                track.note(f"denied: {hook} raised {type(error).__name__}: {error}")


def _first_bytes(nextlayer: NextLayer) -> bytes:
    layer: Any = nextlayer  # its methods are not annotated in mitmproxy
    data: bytes = layer.data_client()
    return data


def _behave(flow: HTTPFlow, behaviours: Behaviours) -> None:
    request = flow.request
    if behaviours.authorization == "strip":
        request.headers.pop("authorization", None)
    elif behaviours.authorization == "alter" and "authorization" in request.headers:
        request.headers["authorization"] = altered(request.headers["authorization"])
    if behaviours.certificate_header:
        _hand_on_certificate(flow, behaviours)
    if behaviours.rewrite_body and request.raw_content:
        request.raw_content += b" "
        if "content-length" in request.headers:
            request.headers["content-length"] = str(len(request.raw_content))


def _hand_on_certificate(flow: HTTPFlow, behaviours: Behaviours) -> None:
    """Puts the client's certificate, whose key it has proved to hold, in the header: PEM without line breaks."""
    name, presented = behaviours.certificate_header, flow.client_conn.certificate_list
    if not behaviours.keep_certificate_header:
        flow.request.headers.pop(name, None)
    if presented:
        flow.request.headers[name] = presented[0].to_pem().decode("ascii").replace("\n", "")


def altered(value: str) -> str:
    """*value* with the first character after its last dot (of a JWT: of its signature) replaced by another letter."""
    head, dot, tail = value.rpartition(".")
    return f"{head}{dot}{'B' if tail[:1] == 'A' else 'A'}{tail[1:]}"


def _upstream(track: Track, server: Server, context: SSL.Context) -> SSL.Connection:
    listener = track.opened.listener

    def on_alert(_connection: SSL.Connection, name: str) -> None:
        track.upstream_failed(f"alert: {name}")
        asyncio.get_running_loop().call_soon(_give_up, track, server)

    return contexts.upstream_connection(
        context, listener.server_name, send_sni=listener.behaviours.send_sni, on_alert=on_alert
    )


def _give_up(track: Track, server: Server) -> None:
    """Makes mitmproxy see at once that a server which sent a fatal alert is gone, even where it does not close."""
    if server.timestamp_tls_setup:
        track.abort(server)


def _flush_alert(track: Track, data: TlsData) -> None:
    """Sends the alert OpenSSL has ready for the server; mitmproxy would close without it."""
    io = track.handler.transports.get(data.conn)
    writer: Any = io and io.writer
    if writer is None or data.ssl_conn is None:
        return
    with contextlib.suppress(SSL.WantReadError):  # nothing to send
        writer.write(data.ssl_conn.bio_read(65535))
