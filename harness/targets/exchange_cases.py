"""The cases of a target file's token service: its flows, and for each requirement the script that puts it to the test.

What is asked is what the catalogue asks of the reference; the names, audiences and tokens are the file's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.catalogue import Catalogue
from harness.model.catalogue import Cells, Flow, Requirement
from harness.model.claims import Claim
from harness.model.expectation import MustBeRefused, MustBeServed
from harness.model.params import Params
from harness.model.script import Step
from harness.model.token_script import (
    Aspect,
    Call,
    ClientSecret,
    Exchange,
    ExchangeRefused,
    Flaw,
    Issued,
    Take,
)
from harness.model.vocabulary import Posture
from harness.targets.file import Endpoint, TargetFile
from harness.targets.flows import requested, server_of, service, stand_ins
from harness.targets.sts import TokenService

_PREFIX = "exchange-for-"
_MINE, _NEW, _ACTOR = "own", "exchanged", "actor"
_UNKNOWN_CLIENT = "hopproof-unknown-client"
_TOKENS = frozenset({Posture.JWT, Posture.BOTH})
_INVALID_REQUEST = ("invalid_request",)


@dataclass(frozen=True)
class _Exchanging:
    """One audience, the server that takes tokens for it, and the servers that must not."""

    sts: TokenService
    audience: str
    server: str
    others: tuple[str, ...]

    def issued(self, *about: Aspect) -> Exchange:
        """The exchange that must succeed, of whose answer *about* is judged."""
        return self._exchange(_NEW, _MINE, self.audience, Issued(self.sts.subject, self.sts.actor, frozenset(about)))

    def refused(self, subject: str = _MINE, audience: str = "", errors: tuple[str, ...] = ()) -> Exchange:
        """An exchange that must fail, with one of *errors* if any is named."""
        return self._exchange("", subject, audience or self.audience, ExchangeRefused(errors))

    def _exchange(self, name: str, subject: str, audience: str, then: Issued | ExchangeRefused) -> Exchange:
        actor = _ACTOR if self.sts.actor_token else ""
        return Exchange(name, "", self.sts.client, subject, audience, then, self.sts.lifetime, actor_token=actor)


def _narrowed(of: _Exchanging) -> Iterator[Step]:
    yield Take(_MINE)
    yield of.issued(Aspect.AUDIENCE, Aspect.SUBJECT, Aspect.ACTOR)
    yield Call(_NEW, MustBeServed())


def _elsewhere(of: _Exchanging) -> Iterator[Step]:
    yield Take(_MINE)
    yield of.issued()
    yield Call(_NEW, MustBeServed())
    yield Call(_MINE, MustBeRefused(()))
    for server in of.others:
        yield Call(_NEW, MustBeRefused(()), server)


def _policy(of: _Exchanging) -> Iterator[Step]:
    yield Take(_MINE)
    yield of.issued()
    for audience in of.sts.refused:
        yield of.refused(audience=audience)


def _subject_tokens(of: _Exchanging) -> Iterator[Step]:
    bad = [Flaw.ALTERED, Flaw.STRANGER, Flaw.UNSIGNED, Flaw.OWN_KEY, *([Flaw.EXPIRED] if of.sts.expired else [])]
    yield Take(_MINE)
    yield of.issued()
    for flaw in bad:
        yield Take(flaw, flaw)
        yield of.refused(flaw)


def _client(of: _Exchanging) -> Iterator[Step]:
    unauthenticated = of.refused(errors=("invalid_client",))
    yield Take(_MINE)
    yield of.issued()
    yield replace(unauthenticated, secret=ClientSecret.WRONG)
    yield replace(unauthenticated, secret=ClientSecret.NONE)
    yield replace(unauthenticated, client=_UNKNOWN_CLIENT)


def _actor_tokens(of: _Exchanging) -> Iterator[Step]:
    yield Take(_MINE)
    yield of.issued(Aspect.ACTOR)
    bad = of.refused(errors=_INVALID_REQUEST)
    yield replace(bad, change=(("actor_token_type", ""),))
    for flaw in (Flaw.ALTERED, Flaw.STRANGER):
        name = f"actor-{flaw}"
        yield Take(name, flaw, actor=True)
        yield replace(bad, actor_token=name)


def _answer(of: _Exchanging) -> Iterator[Step]:
    yield Take(_MINE)
    yield of.issued(Aspect.ANSWER)
    bad = of.refused(errors=_INVALID_REQUEST)
    yield replace(bad, change=(("subject_token", ""),))
    yield replace(bad, change=(("subject_token_type", ""),))
    yield replace(bad, change=(("actor_token_type", of.sts.subject_token_type),), actor_token="")
    yield replace(of.refused(errors=("unsupported_grant_type",)), change=(("grant_type", "urn:example:unknown"),))
    yield Take(Flaw.ALTERED, Flaw.ALTERED)
    yield of.refused(Flaw.ALTERED, errors=_INVALID_REQUEST)


def _lifetime(of: _Exchanging) -> Iterator[Step]:
    yield Take(_MINE)
    yield of.issued(Aspect.LIFETIME)


SCRIPTS: Mapping[str, tuple[str, Callable[[_Exchanging], Iterator[Step]]]] = {
    "STS-2": ("x-subject-token", _subject_tokens),
    "STS-4": ("x-exchange", _narrowed),
    "STS-5-CALL": ("x-elsewhere", _elsewhere),
    "STS-6": ("x-policy", _policy),
    "STS-6-CLIENT": ("x-client", _client),
    "STS-6-ANSWER": ("x-request", _answer),
    "STS-6-ACTOR": ("x-actor-token", _actor_tokens),
    "STS-12": ("x-lifetime", _lifetime),
}
"""By requirement: the class of its case, and what makes the steps."""


def exchange_flows(file: TargetFile, catalogue: Catalogue, clients: Mapping[str, str]) -> dict[str, Flow]:
    """A flow for each audience that the client may have a token for; *clients* names the client of each server."""
    flows: dict[str, Flow] = {}
    for server in file.sts.audiences.values() if file.sts else ():
        endpoint = file.endpoints[server]
        base = stand_ins(catalogue)[0]
        plain = replace(base, server=server_of(endpoint, base.server), client_secret=clients[server], posture_needs={})
        flow = requested(endpoint, service(endpoint, plain))
        flows[f"{_PREFIX}{server}"] = replace(flow, name=f"{_PREFIX}{server}")
    return flows


def is_exchange(flow: Flow) -> bool:
    """Whether *flow* is one of those."""
    return flow.name.startswith(_PREFIX)


def claims(file: TargetFile, flows: Mapping[str, Flow]) -> Iterator[Claim]:
    """That each of *flows* is put to the test."""
    for flow in flows.values():
        endpoint = file.endpoints[flow.server.name]
        policy = bool(file.sts and file.sts.refused)
        yield Claim(flow.name, str(endpoint.posture), str(endpoint.path), exchange=True, policy=policy)


def only_asked_to_refuse(file: TargetFile, endpoint: Endpoint) -> bool:
    """Whether there is no token of its own to judge *endpoint* with: it then appears in exchanges alone."""
    return file.sts is not None and "none" in file.tokens and endpoint.posture in _TOKENS


def exchange_row(row: Requirement, file: TargetFile, flows: Mapping[str, Flow]) -> Requirement | None:
    """*row* as it is asked of the file's token service, None for one that is not."""
    if row.id not in SCRIPTS or file.sts is None:
        return None
    if (row.id == "STS-6" and not file.sts.refused) or (row.id == "STS-6-ACTOR" and not file.sts.actor_token):
        return None
    transport, script = SCRIPTS[row.id]
    cells = tuple(
        Cells(
            expect="as-scripted",
            flows=(f"{_PREFIX}{of.server}",),
            postures=(file.endpoints[of.server].posture,),
            paths=(file.endpoints[of.server].path,),
            certificates=("good",),
            tokens=("good",),
            transports=(transport,),
            params=Params(script=(*([Take(_ACTOR, actor=True)] if file.sts.actor_token else []), *script(of))),
        )
        for of in _exchanging(file, file.sts)
        if f"{_PREFIX}{of.server}" in flows
    )
    note = f"The limit is {file.sts.lifetime} s (sts.lifetime)." if row.id == "STS-12" else ""
    return replace(row, cells=cells, needs=(), note=note)


def _exchanging(file: TargetFile, sts: TokenService) -> Sequence[_Exchanging]:
    taking = [endpoint.name for endpoint in file.endpoints.values() if endpoint.posture in _TOKENS]
    return [
        _Exchanging(sts, audience, server, tuple(name for name in taking if name != server))
        for audience, server in sts.audiences.items()
    ]
