"""Plays a script of the catalogue against a server of its own: requests, moved clocks, outages, rotated keys.

A step is a mapping with one of these, and what it expects (which is the check's business):

    request: good | former          a request with a token under the current, or the previous, signing key
    request: kept | stranger        with one token for the whole script; under a key nobody has published
    advance: HOURS                  the clocks of the server, its management and the client move on
    key-server: down | up           whoever publishes the keys goes away or comes back
    rotate: replace | overlap | retire
                                    management signs with a new key and publishes it alone, beside the old one; or
                                    withdraws the old one
    act: WHOM                       the client under test makes its own request
    renew: SECRET                   a TLS secret is issued anew: another key, the same subject
    register: gateway               management registers the gateway again, which gives it what it presents
    fetches: NUMBER                 how often the server has fetched keys by now
    operate: ACTION                 an operator does this to the containers (harness.lab.disruptions has the actions)
    under_load: ACTION              the same, while good requests keep coming
    cut_off: ACTION                 the same, while the server is fetching the keys for a good request
    slow: SECONDS                   a good request for which the keys come so much later: management is held, as a slow
                                    network would hold what it sends
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.errors import CatalogueError, LabError
from harness.lab import ConfigurationRefused, Entrypoint, Lab
from harness.lab.disruptions import Operated
from harness.model.case import Case
from harness.model.exchange import ClientView, ServerView
from harness.pki.deployment import key_id
from harness.probes.background_load import Load
from harness.stimuli.factory import Stimuli
from harness.wire.send import send

Facts = dict[str, Any]
HOUR = 3600.0
_LOOK_AGAIN = 0.02


@cache
def _next_key() -> rsa.RSAPrivateKey:
    """The key of every rotation; making one takes longer than a whole scenario."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _stranger_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Player:
    """Plays one case's script at *door*; *nonce* names step *n*'s request."""

    def __init__(
        self, lab: Lab, stimuli: Stimuli, case: Case, entrypoint: Entrypoint, nonce: Callable[[str], str]
    ) -> None:
        self._lab, self._stimuli, self._case, self._door, self._nonce = lab, stimuli, case, entrypoint, nonce
        # Our own labs sign with RSA.
        self._key = self._former = cast(rsa.RSAPrivateKey, stimuli.signing_key)
        self._offset = 0.0
        self._renewed = ""
        self._do: Mapping[str, Callable[[Any, str], Facts]] = {
            "request": self._request,
            "advance": self._advance,
            "key-server": self._key_server,
            "rotate": self._rotate,
            "fetches": self._fetches,
            "act": self._act,
            "renew": self._renew,
            "register": self._register,
            "operate": self._operate,
            "under_load": self._under_load,
            "cut_off": self._cut_off,
            "slow": self._slow,
        }

    def play(self) -> list[Facts]:
        """The facts of each step.  Raises CatalogueError for a step nobody knows, LabError if the lab fails."""
        facts = []
        for number, step in enumerate(self._case.params["steps"]):
            verbs = [name for name in step if name in self._do]
            if len(verbs) != 1:
                raise CatalogueError(f"step {number + 1} is none of {', '.join(self._do)}", where=self._case.id)
            facts.append(self._do[verbs[0]](step[verbs[0]], str(number)))
        return facts

    def _request(self, token: str, number: str) -> Facts:
        nonce, entrypoint, began = self._nonce(number), self._door, time.monotonic()
        client = self._send(token, nonce)
        _, server = self._lab.views(entrypoint, client.local_port, nonce, began)
        return {
            "status": client.response.status if client.response else None,
            "ended": client.alert or client.fault or ("timed out" if client.timed_out else ""),
            "reason": self._reason(server),
            "effect": nonce in self._lab.effects([entrypoint.setup])[entrypoint.setup],
        }

    def _send(self, token: str, nonce: str) -> ClientView:
        entrypoint, flow = self._door, self._case.flow
        keys = {"good": self._key, "kept": self._key, "former": self._former, "stranger": _stranger_key()}
        offset = 0.0 if token == "kept" else self._offset
        context = self._stimuli.context(entrypoint.ca, flow.client_secret, self._case.stimulus.certificate)
        request = self._stimuli.signed_by(keys[token], offset, flow, entrypoint.host_header, nonce)
        return send(entrypoint.address, request, context)

    def _advance(self, hours: float, _number: str) -> Facts:
        self._offset += hours * HOUR
        self._lab.set_clock(self._door.setup, self._offset)
        return {}

    def _key_server(self, state: str, _number: str) -> Facts:
        self._lab.set_management(self._door.setup, up=state == "up")
        return {}

    def _rotate(self, how: str, _number: str) -> Facts:
        if how != "retire":
            self._former, self._key = self._key, _next_key()
        keys = [self._key, self._former] if how == "overlap" else [self._key]
        self._lab.publish_keys(self._door.setup, keys)
        return {"kid": key_id(self._key.public_key())}

    def _act(self, _whom: str, number: str) -> Facts:
        nonce, entrypoint, began = self._nonce(number), self._door, time.monotonic()
        act = self._lab.act(entrypoint, self._case.flow, nonce)
        _, server = self._lab.views(entrypoint, act.get("local_port"), nonce, began)
        chain = server.client_chain if server else ()
        return {
            "status": act.get("status"),
            "ended": act.get("error", ""),
            "reason": self._reason(server),
            "effect": nonce in self._lab.effects([entrypoint.setup])[entrypoint.setup],
            "certificate": "" if not chain else "renewed" if chain[0].sha256 == self._renewed else "old",
        }

    def _renew(self, secret: str, _number: str) -> Facts:
        self._renewed = self._lab.renew(self._door.setup, secret)
        return {"sha256": self._renewed}

    def _register(self, _whom: str, _number: str) -> Facts:
        self._lab.register(self._door, self._case.flow)
        return {}

    @staticmethod
    def _reason(server: ServerView | None) -> str:
        return server.rejected or next((item.reason for item in server.requests), "") if server else ""

    def _operate(self, action: str, _number: str) -> Facts:
        if not isinstance(self._lab, Operated):
            raise LabError(f"this lab has no operator who could {action}", where=self._case.id)
        facts = dict(self._lab.operate(self._door.setup, action))
        entrypoint = self._lab.open([self._door.setup])[self._door.setup]
        if isinstance(entrypoint, ConfigurationRefused):
            raise LabError(f"after {action} the server does not start: {entrypoint.message}", where=self._case.id)
        self._door = entrypoint
        return facts

    def _under_load(self, action: str, number: str) -> Facts:
        success = self._case.flow.success
        load = Load(lambda count: self._send("good", self._nonce(f"{number}/{count}")), success)
        with load:
            facts = self._operate(action, number)
        return {**facts, **load.facts}

    def _cut_off(self, action: str, number: str) -> Facts:
        return self._while_fetching(lambda: self._operate(action, number), number)

    def _slow(self, seconds: float, number: str) -> Facts:
        nonce, setup = self._nonce(number), self._door.setup
        early: list[bool] = []

        def held() -> None:
            threading.Event().wait(seconds)  # the delay itself
            early.append(nonce in self._lab.effects([setup])[setup])
            self._operate("resume key-server", number)

        self._operate("pause key-server", number)
        return {**self._while_fetching(held, number), "early": early[0]}

    def _while_fetching(self, action: Callable[[], object], number: str) -> Facts:
        """Do *action* when the server has begun to fetch the keys for a good request; what became of that."""
        nonce, setup = self._nonce(number), self._door.setup
        before = self._lab.counters(setup).get("jwks_fetches", 0)
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(self._send, "good", nonce)
            while not sent.done() and self._lab.counters(setup).get("jwks_fetches", 0) == before:
                threading.Event().wait(_LOOK_AGAIN)
            in_time = not sent.done()
            action()
            client = sent.result()
        return {
            "in_time": in_time,
            "status": client.response.status if client.response else None,
            "ended": client.alert or client.fault or ("timed out" if client.timed_out else ""),
            "reason": "",
            "effect": nonce in self._lab.effects([setup])[setup],
        }

    def _fetches(self, _expected: int, _number: str) -> Facts:
        return {"fetches": self._lab.counters(self._door.setup).get("jwks_fetches", 0)}
