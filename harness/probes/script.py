"""Plays a script of the catalogue against a server of its own: requests, moved clocks, outages, rotated keys.

harness.model.script has the steps and the facts; what a step expects is the check's business.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import assert_never, cast

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.errors import LabError
from harness.lab import ConfigurationRefused, Entrypoint, Lab
from harness.lab.disruptions import operator_of
from harness.model.case import Case
from harness.model.exchange import ClientView, ServerView
from harness.model.script import (
    Act,
    Action,
    Advance,
    CutOff,
    Fetches,
    Operate,
    Part,
    Register,
    Renew,
    Request,
    Rotate,
    Rotation,
    Signed,
    Slow,
    Step,
    SwitchKeyServer,
    UnderLoad,
    Verb,
)
from harness.model.script_facts import Answered, AnsweredLate, Change, Done, Facts, Fetched, LoadResult
from harness.model.token_script import Call, Evidence, Exchange, Forward, Introspect, Mint, Obtain, Revoke, Take
from harness.pki.deployment import key_id
from harness.probes.background_load import Load
from harness.probes.exchange import Parties
from harness.stimuli.factory import Stimuli
from harness.wire.send import send

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
        self._parties = Parties(lab, stimuli, case, entrypoint)
        self.sockets = self._parties.sockets

    def play(self) -> tuple[Facts, ...]:
        """The facts of each step.  Raises LabError if the lab fails."""
        return tuple(self._played(step, str(number)) for number, step in enumerate(self._case.params.script))

    def _played(self, step: Step, number: str) -> Facts:
        match step:
            case Request():
                return self._request(step.token, number)
            case Act():
                return self._act(number)
            case Mint() | Take() | Exchange() | Call() | Evidence() | Introspect() | Obtain() | Revoke() | Forward():
                return self._parties.played(step, self._nonce(number))
            case Fetches():
                return Fetched(self._lab.counters(self._door.setup).get("jwks_fetches", 0))
            case UnderLoad():
                return self._under_load(step.action, number)
            case CutOff():
                return self._while_fetching(lambda: self._operate(step.action), number)
            case Slow():
                return self._slow(step.seconds, number)
            case Operate():
                return self._operate(step.action) or Done()
            case _:
                return self._changed(step)

    def _changed(self, step: Advance | SwitchKeyServer | Rotate | Renew | Register) -> Done:
        """A step that changes what the next ones meet."""
        setup = self._door.setup
        match step:
            case Advance():
                self._offset += step.hours * HOUR
                self._parties.offset = self._offset
                self._lab.set_clock(setup, self._offset)
            case SwitchKeyServer():
                self._lab.set_management(setup, up=step.up)
            case Rotate():
                return Done(kid=self._rotate(step.how))
            case Renew():
                self._renewed = self._lab.renew(setup, step.secret)
                return Done(sha256=self._renewed)
            case Register():
                self._lab.register(self._door, self._case.flow)
            case _:
                assert_never(step)
        return Done()

    def _request(self, token: Signed, number: str) -> Answered:
        nonce, entrypoint, began = self._nonce(number), self._door, time.monotonic()
        client = self._send(token, nonce)
        balancer, server = self._lab.views(entrypoint, client.local_port, nonce, began)
        self.sockets.seen(balancer, server)
        return Answered(_status(client), _ended(client), self._reason(server), self._acted_upon(nonce))

    def _acted_upon(self, nonce: str) -> bool:
        setup = self._door.setup
        return nonce in self._lab.effects([setup])[setup]

    def _send(self, token: Signed, nonce: str) -> ClientView:
        entrypoint, flow = self._door, self._case.flow
        keys = {
            Signed.GOOD: self._key,
            Signed.KEPT: self._key,
            Signed.FORMER: self._former,
            Signed.STRANGER: _stranger_key(),
        }
        offset = 0.0 if token is Signed.KEPT else self._offset
        context = self._stimuli.context(entrypoint.ca, flow.client_secret, self._case.stimulus.certificate)
        request = self._stimuli.signed_by(keys[token], offset, flow, entrypoint.host_header, nonce)
        return self.sockets.sent(send(entrypoint.address, request, context))

    def _rotate(self, how: Rotation) -> str:
        """Rotate the keys; the key id of the current one."""
        if how is not Rotation.RETIRE:
            self._former, self._key = self._key, _next_key()
        keys = [self._key, self._former] if how is Rotation.OVERLAP else [self._key]
        self._lab.publish_keys(self._door.setup, keys)
        return key_id(self._key.public_key())

    def _act(self, number: str) -> Answered:
        nonce, entrypoint, began = self._nonce(number), self._door, time.monotonic()
        act = self._lab.act(entrypoint, self._case.flow, nonce)
        balancer, server = self._lab.views(entrypoint, act.get("local_port"), nonce, began)
        self.sockets.seen(balancer, server)
        chain = server.client_chain if server else ()
        return Answered(
            status=act.get("status"),
            ended=act.get("error", ""),
            reason=self._reason(server),
            effect=self._acted_upon(nonce),
            certificate="" if not chain else "renewed" if chain[0].sha256 == self._renewed else "old",
        )

    @staticmethod
    def _reason(server: ServerView | None) -> str:
        return server.rejected or next((item.reason for item in server.requests), "") if server else ""

    def _operate(self, action: Action) -> Change | None:
        operator = operator_of(self._lab)
        if operator is None:
            raise LabError(f"this lab cannot {action}", where=self._case.id)
        change = operator.operate(self._door.setup, action)
        entrypoint = self._lab.open([self._door.setup])[self._door.setup]
        if isinstance(entrypoint, ConfigurationRefused):
            raise LabError(f"after {action} the server does not start: {entrypoint.message}", where=self._case.id)
        self._door = entrypoint
        return change

    def _under_load(self, action: Action, number: str) -> LoadResult:
        success = self._case.flow.success
        load = Load(lambda count: self._send(Signed.GOOD, self._nonce(f"{number}/{count}")), success)
        with load:
            change = self._operate(action)
        return replace(load.result, change=change)

    def _slow(self, seconds: float, number: str) -> AnsweredLate:
        nonce = self._nonce(number)
        early: list[bool] = []

        def held() -> None:
            threading.Event().wait(seconds)  # the delay itself
            early.append(self._acted_upon(nonce))
            self._operate(Action(Verb.RESUME, Part.KEY_SERVER))

        self._operate(Action(Verb.PAUSE, Part.KEY_SERVER))
        late = self._while_fetching(held, number)
        return replace(late, early=early[0])

    def _while_fetching(self, action: Callable[[], object], number: str) -> AnsweredLate:
        """Do *action* when the server has begun to fetch the keys for a good request; what became of that."""
        nonce, setup = self._nonce(number), self._door.setup
        before = self._lab.counters(setup).get("jwks_fetches", 0)
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(self._send, Signed.GOOD, nonce)
            while not sent.done() and self._lab.counters(setup).get("jwks_fetches", 0) == before:
                threading.Event().wait(_LOOK_AGAIN)
            in_time = not sent.done()
            action()
            client = sent.result()
        return AnsweredLate(_status(client), _ended(client), self._acted_upon(nonce), in_time)


def _status(client: ClientView) -> int | None:
    return client.response.status if client.response else None


def _ended(client: ClientView) -> str:
    return client.alert or client.fault or ("timed out" if client.timed_out else "")
