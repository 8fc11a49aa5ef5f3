"""Third-party servers: reached over the network, seen from the client's side only, never started or changed.

It connects to the hosts of the target file and to no others, and no faster than the file allows.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.errors import LabError
from harness.lab.protocol import ConfigurationRefused, Entrypoint
from harness.model.case import Setup
from harness.model.catalogue import Flow
from harness.model.exchange import BalancerView, ServerView
from harness.model.observations import DrivenClient
from harness.model.vocabulary import Grade
from harness.pki.temporary import prefix, sweep
from harness.targets.file import Endpoint, TargetFile
from harness.wire.send import Address

Seen = Callable[[str], bool]


class Pace:
    """Lets one caller through at a time, at most *rate* a second."""

    def __init__(self, rate: float) -> None:
        self._gap = 1.0 / rate
        self._lock = threading.Lock()
        self._next = 0.0
        self._never = threading.Event()

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._never.wait(turn - now)


class _Effects(Collection[str]):
    """The nonces that a server acted upon, looked up one by one when asked for."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def __contains__(self, nonce: object) -> bool:
        return isinstance(nonce, str) and self._seen(nonce)

    def __iter__(self) -> Iterator[str]:
        raise LabError("what an external server acted upon cannot be listed")

    def __len__(self) -> int:
        raise LabError("what an external server acted upon cannot be counted")


class ExternalLab:
    """A :class:`harness.lab.protocol.Lab` over a target file.

    ``looks`` maps an endpoint to how its side effect is seen; where there is none, effects stay unobserved.
    """

    grade = Grade.CLIENT_ONLY

    def __init__(self, target: TargetFile) -> None:
        self.target = target
        self.features: Collection[str] = frozenset(target.claimed)
        self.looks: dict[str, Seen] = {}
        sweep()  # what killed runs left
        self._private = tempfile.TemporaryDirectory(prefix=prefix("external"))
        self.folder = FilePath(self._private.name)
        self.on_close: list[Callable[[], None]] = [self._private.cleanup]

    def open(self, setups: Iterable[Setup]) -> Mapping[Setup, Entrypoint | ConfigurationRefused]:
        """Doors to endpoints that are there already; nothing is brought up."""
        return {setup: self.entrypoint(setup) for setup in setups}

    def entrypoint(self, setup: Setup) -> Entrypoint:
        """Where *setup* is entered; raises LabError for what the target file does not have."""
        endpoint = self.target.endpoints.get(setup.server)
        if endpoint is None or setup.path is not endpoint.path or setup.variant or setup.fault:
            raise LabError(f"the target file has no {setup.server} over {setup.path}")
        origin = None if endpoint.origin is None else Address(*endpoint.origin, endpoint.host)
        return Entrypoint(
            setup,
            address_of(endpoint),
            endpoint.ca,
            endpoint.certificate_sha256,
            endpoint.port,
            endpoint.also_names,
            origin,
        )

    def release(self, setups: Iterable[Setup]) -> None:
        """Nothing was started."""

    def views(
        self, entrypoint: Entrypoint, client_port: int | None, nonce: str, since: float
    ) -> tuple[BalancerView | None, ServerView | None]:
        """Not observable from outside."""
        return None, None

    def effects(self, setups: Iterable[Setup]) -> Mapping[Setup, Collection[str]]:
        """Only of endpoints whose target file says how to see them."""
        return {setup: _Effects(self.looks[setup.server]) for setup in setups if setup.server in self.looks}

    def act(self, entrypoint: Entrypoint, flow: Flow, nonce: str) -> DrivenClient:
        """Not possible: the client is not ours."""
        raise _not_ours("make its client send a request")

    def set_clock(self, setup: Setup, offset: float) -> None:
        """Not possible."""
        raise _not_ours("move its clock")

    def set_management(self, setup: Setup, *, up: bool) -> None:
        """Not possible."""
        raise _not_ours("take its management down")

    def publish_keys(self, setup: Setup, keys: Sequence[rsa.RSAPrivateKey]) -> None:
        """Not possible."""
        raise _not_ours("publish keys for it")

    def renew(self, setup: Setup, secret: str) -> str:
        """Not possible."""
        raise _not_ours("renew its certificates")

    def register(self, entrypoint: Entrypoint, flow: Flow) -> None:
        """Not possible."""
        raise _not_ours("register its clients")

    def counters(self, setup: Setup) -> Mapping[str, int]:
        """Not possible."""
        raise _not_ours("read its counters")

    def now(self) -> float:
        """Our own clock; the preflight compares it with theirs."""
        return time.time()

    def close(self) -> None:
        """Stop what we started (a JWKS server), remove the client key files."""
        while self.on_close:
            self.on_close.pop()()


def address_of(endpoint: Endpoint) -> Address:
    """Where to connect to and which name to ask for."""
    return Address(*endpoint.connect, endpoint.host)


def _not_ours(what: str) -> LabError:
    return LabError(f"this is not a lab server: cannot {what}")
