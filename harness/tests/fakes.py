"""A lab that runs nothing: it does what a test says, and remembers in which order it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any

from harness.lab import ConfigurationRefused, Entrypoint
from harness.model.case import GOOD, Setup, Stimulus
from harness.model.catalogue import Flow
from harness.model.exchange import BalancerView, ClientView, ServerView
from harness.model.vocabulary import Grade, Path, Reason
from harness.probes.live import Bench
from harness.stimuli.factory import Sending
from harness.tests import builders
from harness.wire.send import Address

Serves = Callable[[Setup, Stimulus, int], bool]


class Sent:
    """What the fake stimuli prepare: who sends what, under which name."""

    def __init__(self, flow: Flow, stimulus: Stimulus, nonce: str) -> None:
        self.flow, self.stimulus, self.nonce = flow, stimulus, nonce


class FakeStimuli:
    """Prepares nothing that could be sent."""

    signing_key: object = None
    misnamed = ""

    def context(self, ca: FilePath, secret: str, certificate: str) -> object:
        """A context is never used."""
        return (ca, secret, certificate)

    def identity(self, secret: str) -> None:
        """Nothing: no call is signed."""

    def issuer_key(self, issuer: str) -> None:
        """Nothing: no token is minted."""

    def presented(self, secret: str, certificate: str) -> None:
        """Nothing, as no context is used."""

    def request(self, flow: Flow, stimulus: Stimulus, host: str, nonce: str) -> Any:
        """What :meth:`FakeLab.send` gets."""
        return Sent(flow, stimulus, nonce)

    def sendings(self, flow: Flow, stimulus: Stimulus, host: str, nonces: Callable[[str], str]) -> Any:
        """One form of it."""
        request: Any = Sent(flow, stimulus, nonces(""))
        return [Sending(request, nonces(""))]


class FakeLab:
    """Serves what is good and refuses the rest, unless ``serves(setup, stimulus, number)`` says otherwise.

    ``log`` has every request as (setup, stimulus id), and "done" where a test puts it; ``broken`` says what else the
    methods it names do, such as raising.
    """

    grade = Grade.BOTH_SIDES
    features: Collection[str] = frozenset()

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.opened: list[Setup] = []
        self.nonces: list[str] = []
        self.refused: dict[Setup, str] = {}
        self.broken: dict[str, Callable[..., object]] = {}
        self.asked_for_effects: list[Setup] = []
        self.serves: Serves = lambda _setup, stimulus, _number: stimulus.id == GOOD
        self._entrypoints: dict[Setup, Entrypoint] = {}
        self._effects: dict[Setup, set[str]] = {}
        self._views: dict[int, ServerView] = {}
        self._lock = threading.Lock()

    def _break(self, method: str, *arguments: Any) -> None:
        if method in self.broken:
            self.broken[method](*arguments)

    def open(self, setups: Iterable[Setup]) -> Mapping[Setup, Entrypoint | ConfigurationRefused]:
        """One door a setup."""
        self._break("open")
        for setup in dict.fromkeys(setups):
            self.opened.append(setup)
            port = 1000 + len(self._entrypoints)
            self._entrypoints.setdefault(
                setup, Entrypoint(setup, Address("127.0.0.1", port, "portal.test"), FilePath("ca.crt"))
            )
        return {
            setup: ConfigurationRefused(self.refused[setup]) if setup in self.refused else self._entrypoints[setup]
            for setup in self.opened
        }

    def send(self, address: Address, sent: Any, _context: object) -> ClientView:
        """What takes the place of :func:`harness.wire.send.send`."""
        with self._lock:
            setup = next(setup for setup, entrypoint in self._entrypoints.items() if entrypoint.address == address)
            self.log.append((setup, sent.stimulus.id))
            self.nonces.append(sent.nonce)
            number, port = len(self.log), 40000 + len(self.nonces)
            self._break("send", setup, sent.stimulus)
            if self.serves(setup, sent.stimulus, number):
                self._effects.setdefault(setup, set()).add(sent.nonce)
                self._views[port] = builders.server(builders.request())
                return builders.client(sent.flow.success, local_port=port)
            self._views[port] = builders.rejecting(_reason(sent.stimulus))
            return builders.client(401, local_port=port)

    def views(
        self, entrypoint: Entrypoint, client_port: int | None, nonce: str, since: float
    ) -> tuple[BalancerView | None, ServerView | None]:
        """What the server saw; a balancer that passed it on."""
        self._break("views", entrypoint.setup)
        server = self._views.get(client_port or 0)
        if entrypoint.setup.path is Path.DIRECT:
            return None, server
        return builders.passthrough() if entrypoint.setup.path is Path.PASSTHROUGH else builders.terminating(), server

    def effects(self, setups: Iterable[Setup]) -> Mapping[Setup, Collection[str]]:
        """What each server did."""
        asked = list(setups)
        self.asked_for_effects += asked
        self._break("effects", asked)
        return {setup: frozenset(self._effects.get(setup, ())) for setup in asked}

    def act(self, entrypoint: Entrypoint, flow: Flow, nonce: str) -> Mapping[str, Any]:
        """The client under test was served."""
        with self._lock:
            port = 50000 + len(self.nonces)
            self.log.append((entrypoint.setup, "act"))
            self.nonces.append(nonce)
            self._effects.setdefault(entrypoint.setup, set()).add(nonce)
            self._views[port] = builders.server(builders.request())
        return {"status": flow.success, "error": "", "local_port": port}

    def counters(self, _setup: Setup) -> Mapping[str, int]:
        """No server here counts anything."""
        return {}

    def now(self) -> float:
        """The moment of the builders' tokens."""
        return builders.NOW


def _reason(stimulus: Stimulus) -> Reason:
    known = builders.CLASSES.get(stimulus.certificate)
    return min(known.acceptable_reasons) if known else Reason.TOKEN_SIGNATURE


def bench(lab: FakeLab, seed: int = 1) -> Bench:
    """A bench on *lab*; the fake leaves out what no procedure of these tests uses."""
    whatever: Any = lab
    stimuli: Any = FakeStimuli()
    return Bench(whatever, stimuli, seed)
