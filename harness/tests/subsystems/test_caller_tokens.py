"""Services that take tokens of their callers' own: each form, each part of it wrong, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from harness.model.token_script import Flaw, Mint, Nesting
from harness.model.vocabulary import Reason
from harness.pki.deployment import Pki
from harness.probes.minting import Minting
from harness.subsystems.microservices.service import EVIDENCE, Orders, ServiceGate
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.configuration import Refused
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.jwks import Keys, parse_keys
from harness.subsystems.server.kind import Making
from harness.subsystems.server.policy import Protection, ServerPolicy
from harness.subsystems.server.rejection import Rejected

STS, CLIENT, GATEWAY = "https://sts.ecomm.test", "order-processing-client", "edge-gateway-client"
CALLERS = {"op.ecomm.test": CLIENT, "gateway.ecomm.test": GATEWAY}
OWN = Mint("own", "op.ecomm.test", "iv.ecomm.test", "op.ecomm.test", signed_by=CLIENT)
USER = Mint("user", STS, "iv.ecomm.test", "peter")
NESTED = Mint("nested", "op.ecomm.test", "iv.ecomm.test", "op.ecomm.test", signed_by=CLIENT, embeds="user")
AS_PAYLOAD = Mint("nested", "op.ecomm.test", signed_by=CLIENT, embeds="user", nesting=Nesting.JWT)
SEALED = Mint("own", "op.ecomm.test", "iv.ecomm.test", "x", signed_by=CLIENT, encrypted_for="inventory")


class Service:
    """A service in one configuration, without a socket."""

    def __init__(self, pki: Pki, folder: Path, home: Path, spec: dict[str, object], *slips: str) -> None:
        config = home / "service.yaml"
        endpoint = {"hosts": [{"name": "iv.ecomm.test", "secretName": "inventory"}]}
        written = {"endpoint": endpoint, "audience": "iv.ecomm.test", "callers": CALLERS, **spec}
        config.write_text(yaml.safe_dump({"spec": written}), "utf-8")
        rules, self.clock, self._folder = ServerPolicy(slips=frozenset(slips)), LabClock(), folder
        self.orders = Orders(Making(folder, Counter(), rules, config, self.clock))
        protection = Protection(False, "https://keys.test", issuer=STS, audience="iv.ecomm.test")
        self.gate = ServiceGate(protection, None, rules, self._keys, self.clock.now, self.orders.trust)
        self._minting, self._pki = Minting(lambda _issuer: pki.signing_key, pki.secrets.__getitem__), pki

    async def _keys(self, _kid: str | None) -> Keys:
        return parse_keys((self._folder / "jwt" / "jwks.json").read_bytes())

    def mint(self, *steps: Mint) -> str:
        """The last of *steps*, of which each may embed those before it."""
        tokens: dict[str, str] = {}
        for step in steps:
            tokens[step.name] = self._minting.minted(step, tokens, self.clock.offset)
        return tokens[steps[-1].name]

    def reason(self, token: str, certificate: str = "") -> str:
        """Why a request with *token* is turned away, '' if it is let in."""
        presented = self._pki.secrets[certificate].certificate if certificate else None
        try:
            asyncio.run(self.gate.admit(_ask("PUT", "/orders/x", token), presented))
        except Rejected as rejected:
            return rejected.reason
        return ""


def _ask(method: str, path: str, token: str, body: bytes = b'{"name": "x"}') -> HttpRequest:
    authorization = (f"Bearer {token}".encode(),) if token else ()
    return HttpRequest(method, path, b"", authorization, "", body)


Make = Callable[..., Service]


@pytest.fixture
def made(pki: Pki, deployment: Path, tmp_path: Path) -> Make:
    def make(form: str, *slips: str, **spec: object) -> Service:
        return Service(pki, deployment, tmp_path, {"tokenForm": form, **spec}, *slips)

    return make


def _with(step: Mint, **changes: object) -> Mint:
    return Mint(**{**vars(step), **changes})


@pytest.mark.parametrize(
    ("form", "steps", "reason"),
    [
        ("self-issued", [OWN], ""),
        ("self-issued", [_with(OWN, issuer="gateway.ecomm.test")], Reason.TOKEN_SIGNATURE),
        ("self-issued", [_with(OWN, issuer="nobody.test")], Reason.TOKEN_KEY),
        ("self-issued", [_with(OWN, flaw=Flaw.OWN_KEY)], Reason.TOKEN_SIGNATURE),
        ("self-issued", [_with(OWN, flaw=Flaw.ALTERED)], Reason.TOKEN_SIGNATURE),
        ("self-issued", [_with(OWN, flaw=Flaw.UNSIGNED)], Reason.TOKEN_ALGORITHM),
        ("self-issued", [_with(OWN, flaw=Flaw.EXPIRED)], Reason.TOKEN_EXPIRED),
        ("self-issued", [_with(OWN, audience="fn.ecomm.test")], Reason.TOKEN_CLAIMS),
        ("self-issued", [_with(OWN, lifetime=601)], Reason.TOKEN_CLAIMS),
        ("self-issued", [USER], Reason.TOKEN_ALGORITHM),
        ("nested-claim", [USER, NESTED], ""),
        ("nested-claim", [USER], Reason.TOKEN_ALGORITHM),
        ("nested-claim", [OWN], Reason.TOKEN_MISSING),
        ("nested-claim", [_with(USER, flaw=Flaw.ALTERED), NESTED], Reason.TOKEN_SIGNATURE),
        ("nested-claim", [_with(USER, issuer="https://other.test"), NESTED], Reason.TOKEN_CLAIMS),
        ("nested-claim", [USER, _with(NESTED, flaw=Flaw.STRANGER)], Reason.TOKEN_SIGNATURE),
        ("nested-jwt", [USER, AS_PAYLOAD], ""),
        ("nested-jwt", [USER], Reason.TOKEN_MALFORMED),
        ("nested-jwt", [_with(USER, flaw=Flaw.ALTERED), AS_PAYLOAD], Reason.TOKEN_SIGNATURE),
        ("nested-jwt", [USER, _with(AS_PAYLOAD, flaw=Flaw.ALTERED)], Reason.TOKEN_SIGNATURE),
        ("nested-jwt", [USER, _with(AS_PAYLOAD, issuer="gateway.ecomm.test")], Reason.TOKEN_SIGNATURE),
        ("encrypted", [SEALED], ""),
        ("encrypted", [OWN], Reason.TOKEN_MALFORMED),
        ("encrypted", [_with(SEALED, flaw=Flaw.STRANGER)], Reason.TOKEN_SIGNATURE),
        ("encrypted", [_with(SEALED, encrypted_for="finance")], Reason.TOKEN_MALFORMED),
    ],
)
def test_each_form_is_verified_in_all_its_parts(made: Make, form: str, steps: list[Mint], reason: str) -> None:
    service = made(form)
    assert service.reason(service.mint(*steps)) == reason


@pytest.mark.parametrize(
    ("slip", "form", "steps"),
    [
        ("caller-claims-another", "self-issued", [_with(OWN, issuer="gateway.ecomm.test")]),
        ("caller-key-from-token", "self-issued", [_with(OWN, flaw=Flaw.OWN_KEY)]),
        ("caller-token-unsigned", "self-issued", [_with(OWN, flaw=Flaw.UNSIGNED)]),
        ("caller-signature-skipped", "self-issued", [_with(OWN, flaw=Flaw.ALTERED)]),
        ("caller-token-lives-long", "self-issued", [_with(OWN, lifetime=86_400)]),
        ("nested-takes-inner-alone", "nested-claim", [USER]),
        ("nested-skips-inner", "nested-claim", [_with(USER, flaw=Flaw.ALTERED), NESTED]),
        ("nested-skips-outer", "nested-claim", [USER, _with(NESTED, flaw=Flaw.STRANGER)]),
        ("nested-takes-inner-alone", "nested-jwt", [USER]),
        ("nested-skips-outer", "nested-jwt", [USER, _with(AS_PAYLOAD, flaw=Flaw.STRANGER)]),
        ("encrypted-takes-signed-alone", "encrypted", [OWN]),
    ],
)
def test_a_fault_lets_in_what_it_is_about(made: Make, slip: str, form: str, steps: list[Mint]) -> None:
    service = made(form, slip)
    assert service.reason(service.mint(*steps)) == ""


def test_nesting_ends_at_one(made: Make) -> None:
    twice = _with(AS_PAYLOAD, name="twice", issuer="gateway.ecomm.test", signed_by=GATEWAY, embeds="nested")
    strict, endless = made("nested-jwt"), made("nested-jwt", "nested-has-no-limit")
    assert strict.reason(strict.mint(USER, AS_PAYLOAD, twice)) != ""
    assert endless.reason(endless.mint(USER, AS_PAYLOAD, twice)) == ""


def test_a_bound_token_is_its_holders_alone(made: Make) -> None:
    service = made("bearer", boundTokens=True)
    mine = service.mint(_with(USER, bound_to=CLIENT))
    assert service.reason(mine, CLIENT) == ""
    assert service.reason(mine, GATEWAY) == service.reason(mine) == Reason.TOKEN_CLAIMS
    assert service.reason(service.mint(USER), CLIENT) == Reason.TOKEN_CLAIMS


@pytest.mark.parametrize(
    ("subject", "act", "reason"),
    [
        ("peter", ("order-processing",), ""),
        ("peter", ("order-processing", "edge-gateway"), ""),
        ("mallory", ("order-processing",), Reason.TOKEN_CLAIMS),
        ("order-processing", ("peter",), Reason.TOKEN_CLAIMS),
        ("peter", ("edge-gateway", "order-processing"), Reason.TOKEN_CLAIMS),
        ("peter", (), Reason.TOKEN_CLAIMS),
    ],
)
def test_subject_and_current_actor_decide(made: Make, subject: str, act: tuple[str, ...], reason: str) -> None:
    service = made("bearer", users=["peter"], actors=["order-processing"])
    assert service.reason(service.mint(_with(USER, subject=subject, act=act))) == reason


def test_evidence_is_the_token_and_outlives_it(made: Make) -> None:
    service = made("self-issued")
    token, forged = service.mint(OWN), service.mint(_with(OWN, flaw=Flaw.ALTERED))
    service.orders.act(_ask("PUT", "/orders/x", token))
    assert service.orders.act(_ask("GET", "/orders/x", token)).body == {"evidence": token}
    service.clock.offset = 86_400.0
    for shown, signed in ((token, True), (forged, False), ("x", False)):
        body = f'{{"token": "{shown}"}}'.encode()
        assert service.orders.act(_ask("POST", EVIDENCE, "", body)).body == {"signed": signed}


def test_two_callers_with_one_key_are_refused_at_start(made: Make) -> None:
    with pytest.raises(Refused, match="have the same key"):
        made("self-issued", callers=dict.fromkeys(CALLERS, CLIENT))
    assert made("self-issued", "service-lets-callers-share-a-key", callers=dict.fromkeys(CALLERS, CLIENT)).orders


def test_no_certificate_is_no_thumbprint(made: Make) -> None:
    service = made("bearer", boundTokens=True)
    certificate: x509.Certificate | None = None
    with pytest.raises(Rejected):
        asyncio.run(service.gate.admit(_ask("PUT", "/orders/x", ""), certificate))
