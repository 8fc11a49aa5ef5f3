"""What every lab offers the engine, whether its servers are embedded, in containers or third-party."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.model.case import Setup
from harness.model.catalogue import Flow
from harness.model.exchange import BalancerView, ServerView
from harness.model.observations import DrivenClient
from harness.model.vocabulary import Grade
from harness.stimuli.attacker_listener import on_loopback
from harness.wire.send import Address


@dataclass(frozen=True)
class Entrypoint:
    """Where a setup is entered.

    ``address`` is what a client connects to (the balancer's, where there is one), ``ca`` the PEM file that vouches for
    it, ``server_leaf_sha256`` the digest of the server's own certificate ('' if not known), ``public_port`` the port in
    its URL where that differs from the one connected to.  ``also_names`` are names of other sites at the same address,
    ``origin`` is where the server itself listens, past the balancer.
    """

    setup: Setup
    address: Address
    ca: FilePath
    server_leaf_sha256: str = ""
    public_port: int = 0
    also_names: tuple[str, ...] = ()
    origin: Address | None = None

    @property
    def host_header(self) -> str:
        """What a client calls this place in its Host header; the scheme's own port is left out (RFC 9110 4.2.3)."""
        return host_header(self.address.server_name, self.public_port or self.address.port)

    @property
    def local(self) -> bool:
        """Whether what is entered here runs on this machine, as far as its address tells."""
        return on_loopback(self.address.host)


def host_header(name: str, port: int) -> str:
    """The Host header for a server on *port*; an IPv6 address stands in brackets (RFC 3986 section 3.2.2)."""
    host = f"[{name}]" if ":" in name else name
    return host if port == 443 else f"{host}:{port}"


@dataclass(frozen=True)
class ConfigurationRefused(Exception):
    """The server did not accept its configuration, and said so."""

    message: str


class Lab(Protocol):
    """A place to run cases in.  Methods raise :class:`harness.errors.LabError` when the lab itself fails."""

    grade: Grade

    def open(self, setups: Iterable[Setup]) -> Mapping[Setup, Entrypoint | ConfigurationRefused]:
        """Bring up everything *setups* need, at once; opened setups stay open until :meth:`release` or the end."""

    def release(self, setups: Iterable[Setup]) -> None:
        """Take down what only these setups needed."""

    def views(
        self, entrypoint: Entrypoint, client_port: int | None, nonce: str, since: float
    ) -> tuple[BalancerView | None, ServerView | None]:
        """What balancer and server reported of the connection from *client_port*; waits a little.  None = nothing.

        *nonce* is that of its request, *since* the time.monotonic() at which it began: ports come back, and what
        another request or an earlier connection left is not this one's.
        With *client_port* None: of the last connection that the client under test made.
        """

    def effects(self, setups: Iterable[Setup]) -> Mapping[Setup, Collection[str]]:
        """The nonces of what each server has acted upon; a setup for which that cannot be seen is left out."""

    def act(self, entrypoint: Entrypoint, flow: Flow, nonce: str) -> DrivenClient:
        """Make the flow's client under test send its own request through *door*; returns its account of it."""

    # For servers that a case has to itself (``setup.own``):

    def set_clock(self, setup: Setup, offset: float) -> None:
        """Move the clocks of this server and of its management to *offset* seconds from now."""

    def set_management(self, setup: Setup, *, up: bool) -> None:
        """Take this server's management down, or bring it back under the same address."""

    def publish_keys(self, setup: Setup, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        """Make *keys* the ones that this server's management publishes."""

    def renew(self, setup: Setup, secret: str) -> str:
        """Reissue the TLS *secret*, with another key; returns the SHA-256 of the new certificate."""

    def register(self, entrypoint: Entrypoint, flow: Flow) -> None:
        """Let management register *flow*'s client (a gateway) once more, which gives it what it presents."""

    def counters(self, setup: Setup) -> Mapping[str, int]:
        """How often this server has done what it counts (``jwks_fetches`` and so on)."""

    def now(self) -> float:
        """The lab's clock, seconds since the epoch."""

    def close(self) -> None:
        """Take everything down and leave nothing behind; may be called twice."""


@runtime_checkable
class SeesUpstreams(Protocol):
    """A lab whose servers call others, and where what arrives there can be seen."""

    def upstreams(self, setup: Setup) -> Mapping[str, Setup]:
        """The servers that *setup*'s server calls, by name."""

    def arrived(self, upstream: Setup, nonce: str, since: float) -> ServerView | None:
        """What *upstream* reported of the connection with *nonce* since *since* (time.monotonic()); waits a little."""


@runtime_checkable
class KeepsLogs(Protocol):
    """A lab whose servers' logs can be kept when a case has failed."""

    def keep_logs(self, folder: FilePath) -> None:
        """Copy what servers and balancers logged into *folder*, which is made if there is anything.  Raises OSError."""
