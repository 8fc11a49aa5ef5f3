"""One accepted TCP connection: clear text or TLS, a deadline, and the one record of it at its end.

Knows nothing of what is asked over the connection; that is the channel's affair (``endpoint``).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from harness.model import protocol
from harness.model.vocabulary import Reason
from harness.subsystems.server._twisted import TLSMemoryBIOFactory
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.connection_record import Connection
from harness.subsystems.server.policy import ServerPolicy
from harness.subsystems.server.tls import HANDSHAKE_RECORD, ServerConnection, ServerTls, error_text, failure

HANDSHAKE_SECONDS = 10.0
"""A client that has not finished its handshake by then is sent away."""

LINGER_SECONDS = 5.0

_log = logging.getLogger(__name__)


@dataclass
class ListenerContext:
    """What a listener's doors share.  ``channel`` makes a connection's HTTP protocol, ``tell`` takes its record."""

    listener: str
    tls: ServerTls
    rules: ServerPolicy
    clock: LabClock
    reactor: Any
    channel: Callable[[AcceptedConnection], Any]
    tell: Callable[[protocol.Connection], None]
    doors: set[AcceptedConnection] = field(default_factory=set)


class AcceptedConnection(Protocol):
    """Lets one client in, or not."""

    def __init__(self, house: ListenerContext) -> None:
        self._house = house
        self._inner: Any = None
        self._over = False
        self._deadline: Any = None
        self.left: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """A client has connected."""
        here, there = self._transport.getHost(), self._transport.getPeer()
        self.record = Connection(self._house.listener, here.port, there.port)
        self._deadline = self._house.reactor.callLater(HANDSHAKE_SECONDS, self._too_slow)
        self._house.doors.add(self)

    def dataReceived(self, data: bytes) -> None:
        """The first byte distinguishes TLS from clear text: every TLS connection starts with a handshake record."""
        if self._inner is None and not self.record.rejected:
            self._inner = self._open(data[0] == HANDSHAKE_RECORD)
        if self._inner is not None:
            self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is over; so is its record, unless an answer is still being worked on."""
        self._stop_deadline()
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.record.rejected:
            self.record.reject(Reason.TLS_HANDSHAKE, "the client left without sending anything")
        self._over = True
        self.settle()

    def established(self, connection: SSL.Connection) -> None:
        """The handshake has succeeded: both sides know each other as far as they asked to."""
        self._stop_deadline()
        record = self.record
        record.established = True
        self._note(connection)
        finished = connection.get_peer_finished()
        record.handshake_sha256 = hashlib.sha256(finished).hexdigest() if finished else ""
        record.chain = tuple(connection.get_verified_chain(as_cryptography=True) or record.chain)

    def lost(self, connection: SSL.Connection | None, error: BaseException | None) -> None:
        """TLS has ended, with *error*: before the handshake was over, that is why it failed."""
        if self.record.established or connection is None:
            return
        self._note(connection)
        if isinstance(error, SSL.Error) and not isinstance(error, SSL.SysCallError):
            self.record.reject(*failure(error_text(error), bool(self.record.chain)))
        self.record.reject(Reason.TLS_HANDSHAKE, "the client left in the middle of the handshake")

    def settle(self) -> None:
        """Report the record once the connection and all its requests are over."""
        if not self._over or self.record.pending or self not in self._house.doors:
            return
        self._house.doors.discard(self)
        if self.record.rejected:
            _log.info("%s: connection refused: %s: %s", self.record.listener, self.record.rejected, self.record.detail)
        elif not self.record.requests:
            self.record.detail = self.record.detail or "no complete HTTP request came"
        try:
            self._house.tell(self.record.message())
        finally:
            self.left.callback(None)

    def closing(self) -> None:
        """Our side is done: a client that does not close its own is not waited for longer than LINGER_SECONDS."""
        self._stop_deadline()
        if not self._over:
            self._deadline = self._house.reactor.callLater(LINGER_SECONDS, self._linger_ended)

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abortConnection()

    @property
    def _transport(self) -> Any:
        return self.transport

    def _open(self, is_tls: bool) -> Any:
        channel = self._house.channel(self)
        if is_tls:
            creator = ServerConnection(self._house.tls, self.record, self._house.rules, self._house.clock)
            channel = _tls_protocol(creator, channel)
        elif self._house.rules.answers_clear_text:
            self._stop_deadline()
        else:
            self.record.reject(Reason.NOT_TLS, "clear text where TLS is spoken")
            self._transport.loseConnection()
            self.closing()
            return None
        channel.makeConnection(self._transport)
        return channel

    def _note(self, connection: SSL.Connection) -> None:
        self.record.tls_version = connection.get_protocol_version_name()
        self.record.sni = (connection.get_servername() or b"").decode("ascii", "replace")

    def _too_slow(self) -> None:
        self._deadline = None
        self.record.reject(Reason.TLS_HANDSHAKE, f"no handshake within {HANDSHAKE_SECONDS:.0f} s")
        self.abort()

    def _linger_ended(self) -> None:
        self._deadline = None
        self.abort()

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class ConnectionFactory(Factory):
    """Makes a door for every connection."""

    noisy = False

    def __init__(self, house: ListenerContext) -> None:
        self._house = house

    def buildProtocol(self, addr: object) -> AcceptedConnection:
        """Called by Twisted."""
        return AcceptedConnection(self._house)


class _Single(Factory):
    """Hands out the one protocol it was made with."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> Any:
        return self._protocol


def _tls_protocol(creator: ServerConnection, channel: Any) -> Any:
    return TLSMemoryBIOFactory(creator, False, _Single(channel)).buildProtocol(None)
