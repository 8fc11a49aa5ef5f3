"""The connections of a case that has several, by the ports of their ends: how a capture finds them."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable

from harness.model.exchange import BalancerView, ClientView, ServerView
from harness.wire.send import Address, Prepared

Sender = Callable[[Address, Prepared, ssl.SSLContext | None], ClientView]

_KEPT = 200
"""A script under load opens connections for as long as it lasts; of so many a case keeps the ports."""


class Sockets:
    """The connections of one case, in order.  Threads may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[int, int], None] = {}

    def add(self, near: int | None, far: int | None) -> None:
        """A connection from port *near* to port *far*, where both are known."""
        if near and far:
            with self._lock:
                if len(self._found) < _KEPT:
                    self._found[near, far] = None

    def sent(self, client: ClientView) -> ClientView:
        """*client*, whose connection belongs to the case."""
        self.add(client.local_port, client.peer_port)
        return client

    def through(self, send: Sender) -> Sender:
        """*send*, all of whose connections belong to the case."""
        return lambda address, request, context: self.sent(send(address, request, context))

    def seen(self, balancer: BalancerView | None, server: ServerView | None) -> None:
        """The connections of which *balancer* and *server* reported."""
        if balancer is not None:
            self.add(balancer.peer_port, balancer.local_port)
        if server is not None:
            self.add(server.peer_port, server.local_port)

    def to_json(self) -> list[list[int]]:
        """Each connection's two ports, the client's first."""
        with self._lock:
            return [list(pair) for pair in self._found]
