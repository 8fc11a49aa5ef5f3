"""What nginx, HAProxy and Envoy tell of a connection, as the lab's own :class:`BalancerView`.  Pure: lines to views.

Their committed configurations make them log JSON objects.  ``kind`` is ``connection`` (all there is to tell),
``request`` (the same, with one), or ``end`` (to be reported only if no request was); ``port`` and ``peer`` are the
listener's and the client's, ``upstream`` ends with the port that the balancer connected to the server from.  No header
but our own nonce is in it, and no token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.model.exchange import BalancerView, RequestView

# Whether the answer was the server's own, by what each product tells in `answered`.
_SERVER_ANSWERED: Mapping[str, Callable[[str], bool]] = {
    "nginx": lambda seconds: seconds not in ("", "-"),
    "haproxy": lambda milliseconds: int(milliseconds) >= 0,
    "envoy": lambda details: details == "via_upstream",
}
# nginx names the port of a client that came to no request in two lines: who was accepted, and what became of it.
_ACCEPTED = re.compile(r": \*(\d+) accept: [\d.]+:(\d+) fd:")
_HANDSHAKE = re.compile(r": \*(\d+) (.*) while SSL handshaking, client: [\d.]+, server: [\d.]+:(\d+)$")


class AccessLogReader:
    """Reads what one *product* writes; *listeners* are the lab's ids and modes by port."""

    def __init__(self, product: str, listeners: Mapping[int, tuple[str, str]]) -> None:
        self._answered, self._listeners = _SERVER_ANSWERED[product], listeners
        self._peers: dict[str, int] = {}
        self._requested: set[tuple[int, int]] = set()

    def read(self, line: str) -> Iterator[BalancerView]:
        """The views that *line* completes; a line that is none of ours yields nothing."""
        if accepted := _ACCEPTED.search(line):
            self._peers[accepted[1]] = int(accepted[2])
        elif (failed := _HANDSHAKE.search(line)) and failed[1] in self._peers:
            yield self._view({"port": failed[3], "peer": self._peers.pop(failed[1]), "detail": failed[2]})
        elif line.startswith("{"):
            yield from self._read(json.loads(line))

    def _read(self, entry: Mapping[str, Any]) -> Iterator[BalancerView]:
        connection = (int(entry["port"]), int(entry["peer"]))
        if entry["kind"] == "request":
            self._requested.add(connection)
        elif entry["kind"] == "end" and connection in self._requested:
            self._requested.discard(connection)
            return
        yield self._view(entry)

    def _view(self, entry: Mapping[str, Any]) -> BalancerView:
        port = int(entry["port"])
        listener, mode = self._listeners[port]
        requests = (self._request(entry),) if entry.get("kind") == "request" else ()
        return BalancerView(
            listener=listener,
            mode=mode,
            local_port=port,
            peer_port=int(entry["peer"]),
            established=bool(_text(entry, "tls")),
            tls_version=_text(entry, "tls"),
            sni=_text(entry, "sni"),
            upstream_port=_port(_text(entry, "upstream")),
            upstream_error=_text(entry, "upstream_error"),
            detail=_text(entry, "detail"),
            requests=requests,
        )

    def _request(self, entry: Mapping[str, Any]) -> RequestView:
        status = int(entry["status"] or 0)
        return RequestView(
            method=_text(entry, "method"),
            path=_text(entry, "path").partition("?")[0],  # a query may hold a token (RFC 6750 section 2.3)
            nonce=_text(entry, "nonce"),
            status=status if status > 0 else None,
            decision="upstream" if self._answered(str(entry["answered"])) else "balancer",
            digested=False,
        )


def _text(entry: Mapping[str, Any], name: str) -> str:
    """A member as text; what a product writes for nothing ("-") is nothing."""
    value = entry.get(name)
    return "" if value in (None, "-") else str(value).strip()


def _port(address: str) -> int | None:
    """The port at the end of *address*, None where the balancer never connected to the server."""
    found = re.search(r"(\d+)$", address)
    return int(found[1]) or None if found else None
