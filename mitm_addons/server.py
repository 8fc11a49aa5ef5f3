"""The slim mitmproxy master and its listeners, opened and closed at run time.  Knows no protocol and no policy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.mode_specs import ProxyMode

from harness.errors import LabError
from harness.model.exchange import BalancerView
from harness.model.protocol import LOOPBACK, Listener, Opened
from mitm_addons.listeners import OpenListener, check, load_contexts
from mitm_addons.policy import Policy
from mitm_addons.records import Track

BODY_LIMIT = "1m"
"""Larger bodies are refused (413, or 502 for an answer): what is not buffered cannot be inspected."""

_ATTEMPTS = 5
_OPTIONS: Mapping[str, Any] = {
    "mode": [],  # listeners come through open()
    "connection_strategy": "lazy",  # a refused upstream connection is a 502 and not an end of stream
    "http2": False,
    "websocket": False,
    "rawtcp": False,
    "body_size_limit": BODY_LIMIT,
    "keep_host_header": True,  # safe only because Policy takes the upstream name from the listener, never from a client
}
_log = logging.getLogger(__name__)


class RecordingServer(Proxyserver):
    """Proxyserver that keeps a Track for each accepted connection and reports it once, when everything of it has ended.

    Bound to the life of the connection's handler and not to a hook: hooks of a connection may still run, or fail, after
    mitmproxy has said that the client is gone.
    """

    name = "proxyserver"  # the name under which Master looks for it

    def __init__(self, report: Callable[[BalancerView], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # not annotated in mitmproxy
        self.tracks: dict[str, Track] = {}
        # Closed listeners stay: a connection accepted just before is still handled, and reported, after.
        self.opened: dict[ProxyMode, OpenListener] = {}
        self._report = report

    @contextlib.contextmanager
    def register_connection(self, key: tuple[Any, ...] | str, handler: ProxyConnectionHandler) -> Iterator[None]:
        """Is entered when a connection is accepted and left when its handler has ended, however it ends."""
        track = self._track(handler)
        try:
            with super().register_connection(key, handler):
                yield
        finally:
            self.tracks.pop(handler.client.id, None)
            track.end()
            self._report(_view(track))

    def _track(self, handler: ProxyConnectionHandler) -> Track:
        opened = self.opened.get(handler.client.proxy_mode)
        writer: Any = handler.transports[handler.client].writer
        if opened is None:
            writer.transport.abort()  # 3.11's asyncio would keep the connection open after the exception
            raise LookupError(f"no listener for {handler.client.proxy_mode}")
        track = Track(opened, handler, handler.client)
        track.keep(handler.client)
        self.tracks[handler.client.id] = track
        return track


class Balancer:
    """The master with its listeners.  Everything here runs on the master's event loop."""

    def __init__(self, report: Callable[[BalancerView], None]) -> None:
        options = Options()
        self.master = Master(options)
        self._server = RecordingServer(report)
        self._modes: dict[str, ProxyMode] = {}
        self._shared: dict[str, asyncio.Server] = {}
        # Neither errorcheck (ends the process on any logged error) nor a View (keeps every flow).
        self.add(self._server, Policy(self._server.tracks))
        changeable: Any = options  # not annotated in mitmproxy
        changeable.update(**_OPTIONS)

    def add(self, *addons: object) -> None:
        """Adds addons to the master, behind those there are."""
        manager: Any = self.master.addons  # not annotated in mitmproxy
        manager.add(*addons)

    def forget(self, client: str, flow: str) -> None:
        """Drop the record of a finished request: a session that runs long keeps none until the connection ends."""
        track = self._server.tracks.get(client)
        if track is not None:
            track.requests.pop(flow, None)

    async def listen(self, listeners: Sequence[Listener]) -> dict[str, Opened]:
        """Opens all of *listeners* or none; their ports by id.  Raises LabError."""
        for listener in listeners:
            check(listener)
        ids = [listener.id for listener in listeners]
        taken = {item for item in ids if item in self._modes or ids.count(item) > 1}
        if taken:
            raise LabError(f"listener id in use: {', '.join(sorted(taken))}")
        loaded = [(listener, *load_contexts(listener)) for listener in listeners]
        ports: dict[str, Opened] = {}
        try:
            for listener, front, upstream in loaded:
                ports[listener.id] = {"port": await self._open(listener, front, upstream)}
        except Exception:
            await self.close(list(ports))
            raise
        return ports

    async def share(self, listener: str, port: int) -> None:
        """Let *listener* take connections from *port* too, which other processes may share.  Raises LabError."""
        instance: Any = self._server.servers[self._modes[listener]]
        # The protocol by its number: asyncio sets TCP_NODELAY on no other, and an answer would wait 40 ms for an ACK.
        shared = socket.socket(proto=socket.IPPROTO_TCP)
        try:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind((LOOPBACK, port))
            self._shared[listener] = await asyncio.start_server(instance.handle_stream, sock=shared)
        except OSError as error:
            shared.close()
            raise LabError(f"the port {port} cannot be shared: {error.strerror}") from error

    async def close(self, ids: Sequence[str]) -> None:
        """Closes listeners and cuts their connections; returns when each of these is reported.  Raises LabError."""
        unknown = [item for item in ids if item not in self._modes]
        if unknown:
            raise LabError(f"no such listener: {', '.join(map(str, unknown))}")
        for item in ids:
            if item in self._shared:
                self._shared.pop(item).close()
        closing = {self._modes.pop(item) for item in ids}
        await self._server.servers.update(list(self._modes.values()))
        # Again and again: what was just being accepted turns up only now.
        while tracks := [track for track in self._server.tracks.values() if track.client.proxy_mode in closing]:
            for track in tracks:
                track.abort(track.client)
            for track in tracks:
                await track.ended.wait()

    async def _open(self, listener: Listener, front: Any, upstream: Any) -> int:
        """The port of the opened listener; if the port was taken in between, another one is tried."""
        for _ in range(_ATTEMPTS):
            port = _free_port(listener.host)
            server = f"{listener.upstream_host}:{listener.upstream_port}"
            mode = ProxyMode.parse(f"reverse:tcp://{server}@{listener.host}:{port}")
            self._server.opened[mode] = OpenListener(listener, port, front, upstream)
            self._modes[listener.id] = mode
            await self._server.servers.update(list(self._modes.values()))
            if self._server.servers[mode].is_running:
                return port
            _log.warning("listener %r: port %d was taken in between", listener.id, port)
            await self._drop(listener.id)
        raise LabError(f"no port could be opened in {_ATTEMPTS} attempts", where=f"listener {listener.id!r}")

    async def _drop(self, listener: str) -> None:
        """Forgets a listener that never ran; mitmproxy asserts that what it stops was running, and logs that."""
        mode = self._modes.pop(listener)
        del self._server.opened[mode]
        await self._server.servers.update(list(self._modes.values()))


def _view(track: Track) -> BalancerView:
    """The record of *track*, at least what identifies it: a connection without a record would look like none."""
    try:
        return track.view()
    except Exception as error:
        _log.exception("an incomplete record")
        listener = track.opened.listener
        detail = f"record incomplete: {type(error).__name__}"
        return BalancerView(listener.id, listener.mode, track.opened.port, track.client.peername[1], detail=detail)


def _free_port(host: str) -> int:
    """A port of *host* that is free now.

    It makes each mode unique too: mitmproxy tells listeners apart by specification.
    """
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
