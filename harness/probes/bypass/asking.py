"""One request in another way, and what came of it.  Gathers facts; judges nothing.

Each way is one or more tries.  What came of every one is kept, and of the first that was answered with success
everything; what shows that an answer is the protected one, or a general one, is asked for only then.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from harness.checks.dialect import Dialect
from harness.lab import Entrypoint
from harness.model.case import GOOD, Case, Stimulus
from harness.model.exchange import ClientView
from harness.model.observations import Answer, Observations, Ways
from harness.stimuli import bypass
from harness.stimuli.factory import Stimuli
from harness.stimuli.partial import StimulusUnavailable
from harness.stimuli.registry import Intrusiveness
from harness.wire.send import Address, Prepared
from harness.wire.upgrade import SWITCHED

NOBODY = "hopproof.invalid"
ASIDE = "aside"


class Means(Protocol):
    """What sends: a bench."""

    @property
    def stimuli(self) -> Stimuli:
        """Makes contexts and requests."""

    @property
    def dialect(self) -> Dialect:
        """How the servers say no."""

    @property
    def send(self) -> Callable[[Address, Prepared, ssl.SSLContext | None], ClientView]:
        """Sends one request."""


@dataclass(frozen=True)
class Try:
    """One request; ``aside`` makes another, of something presumably unprotected, for comparison.

    ``judged_elsewhere`` says that ``aside`` is this one by what the protocol says, and has a case of its own.
    """

    how: str
    address: Address
    request: Prepared
    context: ssl.SSLContext
    aside: Callable[[], Try] | None = None
    judged_elsewhere: bool = False


@dataclass(frozen=True)
class Asking:
    """One case at one door."""

    means: Means
    case: Case
    entrypoint: Entrypoint
    nonce: str

    def context(self, certificate: str) -> ssl.SSLContext:
        """A new context with the client's certificate of that class."""
        return self.means.stimuli.fresh(self.entrypoint.ca, self.case.flow.client_secret, certificate)

    def usual(self) -> ssl.SSLContext:
        """The context with the case's own certificate."""
        certificate = self.case.stimulus.certificate
        return self.means.stimuli.context(self.entrypoint.ca, self.case.flow.client_secret, certificate)

    def under_another_name(self) -> ssl.SSLContext:
        """The same, for a server that may show another certificate; one that gets a token is verified all the same."""
        context = self.context(self.case.stimulus.certificate)
        any_name(context, verified=self.case.stimulus.token == GOOD)
        return context

    def request(self, host: str = "", **changes: str) -> Prepared:
        """The flow's request, without the credential that the case leaves out, with *changes* of its method or path."""
        flow = replace(self.case.flow, **changes)  # type: ignore[arg-type]
        if flow.method != self.case.flow.method and flow.method in bypass.SAFE:
            flow = replace(flow, body="")
        return self.means.stimuli.request(flow, self.case.stimulus, host or self.entrypoint.host_header, self.nonce)

    def good(self) -> Prepared:
        """The flow's good request, under a name of its own: what it does is not what the case did."""
        name = self.nonce + GOOD
        return self.means.stimuli.request(self.case.flow, Stimulus(), self.entrypoint.host_header, name)

    def stranger(self, host: str = "", path: str = "") -> Prepared:
        """The same as the case's request for another host or path, under a name of its own."""
        flow = replace(self.case.flow, path=path or self.case.flow.path)
        name = self.nonce + ASIDE
        return self.means.stimuli.request(flow, self.case.stimulus, host or self.entrypoint.host_header, name)

    @property
    def path(self) -> str:
        """The flow's path with this case's name in it."""
        return self.case.flow.path.replace("{nonce}", self.nonce)


Tries = Callable[[Asking], Iterable[Try]]


@dataclass(frozen=True)
class Way:
    """One way: what it is, and its tries.  ``needs`` says why that way is closed, even with a good
    credential; '' where it is open."""

    summary: str
    tries: Tries
    needs: Callable[[Asking], str] = lambda asking: ""
    intrusive: Intrusiveness = Intrusiveness.REQUEST

    def go(self, asking: Asking) -> tuple[Try, ClientView, Observations]:
        """The try whose answer matters most, that answer, and what came of every try."""
        observed: list[tuple[Try, ClientView]] = []
        message: list[Answer] = []
        for one in self.tries(asking):
            client = asking.means.send(one.address, one.request, one.context)
            observed.append((one, client))
            message.append(_answer(asking, one, client))
            if client.timed_out or (_let_in(asking, one, client) and one.aside is None):
                break
        if not observed:
            raise StimulusUnavailable("the request already has that form")
        let_in = [(one, client) for one, client in observed if _let_in(asking, one, client)]
        ways: Ways = {"tries": message}
        if let_in:
            _compare(asking, ways)
        else:
            ways["closed"] = self._closed(asking)
        answered = [(one, client) for one, client in observed if not client.server_refused]
        return *[*let_in, *answered[-1:], observed[-1]][0], {"ways": ways}

    def _closed(self, asking: Asking) -> str:
        try:
            return self.needs(asking)
        except (
            StimulusUnavailable
        ):  # without a good credential the case's own twin is missing as well, which the judge says
            return ""


def served(asking: Asking, client: ClientView) -> bool:
    """Whether the answer is a success that the dialect does not mark as a refusal.

    A connection that is switched to another protocol is one, unless the server's first word there is a refusal.
    """
    response = client.response
    if response is None or asking.means.dialect.refuses(response):
        return False
    return 200 <= response.status < 300 or (response.status == SWITCHED and bool(client.switched) and not client.closed)


def _let_in(asking: Asking, one: Try, client: ClientView) -> bool:
    return _reached(one, client) and served(asking, client)


def _reached(one: Try, client: ClientView) -> bool:
    """Whether the answer is to the request that matters, which may be the second, in another protocol."""
    return one.request.upgrade is None or not one.request.upgrade.then or bool(client.switched)


def _fact(asking: Asking, one: Try, client: ClientView) -> Answer:
    """The result of one request; the nonce, which differs, is left out of the body."""
    if not _reached(one, client):
        client = replace(client, response=None)
    body = client.response.body if client.response else ""
    for name in (asking.nonce + GOOD, asking.nonce + ASIDE, asking.nonce):
        body = body.replace(name, "")
    return {
        "how": one.how,
        "status": client.response.status if client.response else None,
        "served": served(asking, client),
        "told": client.alert or client.fault or client.server_refused or (body if client.switched else ""),
        "allow": any(name.lower() == "allow" for name, _ in client.response.headers) if client.response else False,
        "body_sha256": hashlib.sha256(body.encode()).hexdigest(),
        "body_characters": len(body),
    }


def _answer(asking: Asking, one: Try, client: ClientView) -> Answer:
    """What came of *one*; where it was served, also what something else is answered in the same way."""
    found = _fact(asking, one, client)
    if found["served"] and one.aside is not None:
        other = one.aside()
        answer = asking.means.send(other.address, other.request, other.context)
        found["aside"] = _fact(asking, other, answer)
        found["judged_elsewhere"] = one.judged_elsewhere
    return found


def _usual(asking: Asking) -> Answer:
    """What the request without a credential is answered in the usual way: another way is open only if that is not."""
    usual = Try("in the usual way", asking.entrypoint.address, asking.stranger(), asking.usual())
    return _fact(asking, usual, asking.means.send(usual.address, usual.request, usual.context))


def _compare(asking: Asking, ways: Ways) -> None:
    """Add what the good request, and the usual way, are answered."""
    try:
        good = Try("the good request", asking.entrypoint.address, asking.good(), asking.context(GOOD))
    except StimulusUnavailable as missing:
        ways["no_good"] = str(missing)
    else:
        ways["good"] = _fact(asking, good, asking.means.send(good.address, good.request, good.context))
    ways["usual"] = _usual(asking)


def any_name(context: ssl.SSLContext, *, verified: bool) -> None:
    """Let *context* take a certificate for another name; of any CA, unless *verified*."""
    context.check_hostname = False
    if not verified:
        context.verify_mode = ssl.CERT_NONE
