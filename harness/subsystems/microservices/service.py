"""Services behind an STS: they store orders with the tokens that came with them, and decide which requests to admit.

The API is the reference's own: ``PUT /orders/<name>`` stores an order, ``GET /orders/<name>`` returns its evidence,
``POST /evidence`` verifies a caller's signature again.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from harness.errors import UsageError
from harness.model.vocabulary import Reason
from harness.subsystems.microservices import caller_tokens
from harness.subsystems.microservices.trust import Form, Trust, read
from harness.subsystems.server.access import Gate
from harness.subsystems.server.application import Application, HttpResponse, json_object
from harness.subsystems.server.certificates import read_file
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.jwks import Keys, parse_keys
from harness.subsystems.server.jws import parse
from harness.subsystems.server.kind import Making
from harness.subsystems.server.registrations import Registrations
from harness.subsystems.server.rejection import Rejected
from harness.subsystems.server.token_verification import KeysFor, find_token, verify

EVIDENCE = "/evidence"
POOLS_KEYS = "service-pools-issuers-keys"


class Orders(Registrations):
    """Stores an order under its name, with the token that came with it."""

    prefixes = ("/orders/",)

    def __init__(self, making: Making) -> None:
        super().__init__()
        self.trust, self._rules, self._clock = read(making), making.rules, making.clock
        self.folder = making.folder
        self._evidence: dict[str, str] = {}

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Store an order, return the evidence of one, or verify evidence again."""
        if ask.method == "POST" and ask.path == EVIDENCE:
            return self._reverified(ask)
        name = ask.path.removeprefix(self.prefixes[0])
        if ask.method == "GET" and name in self._evidence:
            return HttpResponse(200, self._evidence_of(self._evidence[name]))
        answer = super().act(ask)
        token = find_token(ask.authorization, ask.query, self._rules)
        if token and self.trust.callers:
            self._evidence[name] = token
        return answer

    def _evidence_of(self, kept: str) -> dict[str, Any]:
        if self.trust.form is Form.ENCRYPTED:
            kept = caller_tokens.unsealed(kept, self.trust, self._rules)
        if "evidence-keeps-claims-alone" in self._rules.slips:
            return {"evidence": "", "claims": parse(kept).claims}
        return {"evidence": kept}

    def _reverified(self, ask: HttpRequest) -> HttpResponse:
        token = str(json_object(ask.body).get("token", ""))
        signed = caller_tokens.still_signed(token, self.trust, self._rules, self._clock.now())
        return HttpResponse(200, {"signed": signed})


@dataclass(frozen=True)
class ServiceGate(Gate):
    """Admits requests with a token of the form that the service accepts."""

    trust: Trust

    async def admit(self, ask: HttpRequest, certificate: x509.Certificate | None) -> None:
        """Raises Rejected, and nothing else, unless *ask* may be acted upon."""
        verifies = self.rules.verifies_token(self.protection)
        if self.trust.usual or not verifies or not self.rules.protects(ask.path) or self.rules.excuses(ask):
            await super().admit(ask, certificate)
            return
        compact = find_token(ask.authorization, ask.query, self.rules)
        if compact is None:
            if self.rules.token_required:
                raise Rejected(Reason.TOKEN_MISSING, "no bearer token in the Authorization field")
            return
        try:
            await self._admit(compact, certificate)
        except Rejected:
            raise
        except Exception as error:  # a decision that cannot be made is a rejection
            raise Rejected(Reason.TOKEN_MALFORMED, f"verification failed with {type(error).__name__}") from error

    async def _admit(self, compact: str, certificate: x509.Certificate | None) -> None:
        trust, rules = self.trust, self.rules
        if trust.form is Form.ENCRYPTED:
            caller_tokens.self_issued(caller_tokens.unsealed(compact, trust, rules), trust, rules, self.now())
        elif trust.form is Form.SELF_ISSUED:
            caller_tokens.self_issued(compact, trust, rules, self.now())
        elif trust.form is Form.NESTED_CLAIM:
            await self._users(self._in_claim(compact))
        elif trust.form is Form.NESTED_JWT:
            await self._users(caller_tokens.as_payload(compact, trust, rules))
        else:
            await self._users(compact)
            self._parties(parse(compact).claims, certificate)

    def _in_claim(self, compact: str) -> str:
        trust, rules = self.trust, self.rules
        if "nested-takes-inner-alone" in rules.slips and caller_tokens.USER_TOKEN not in parse(compact).claims:
            return compact
        if "nested-skips-outer" in rules.slips:
            return caller_tokens.in_claim(parse(compact))
        inner = caller_tokens.in_claim(caller_tokens.self_issued(compact, trust, rules, self.now()))
        if "nested-has-no-limit" in rules.slips and caller_tokens.USER_TOKEN in parse(inner).claims:
            return self._in_claim(inner)
        return inner

    async def _users(self, compact: str) -> None:
        """Verify the user's token as one of the trusted STS."""
        if "nested-skips-inner" in self.rules.slips and self.trust.form is not Form.BEARER:
            parse(compact)
            return
        protection = replace(self.protection, binds=self.trust.binds)
        await verify(compact, self.keys_for, self.rules, protection, self.now)

    def _parties(self, claims: dict[str, Any], certificate: x509.Certificate | None) -> None:
        """Verify certificate binding, subject and actor; only the current actor counts (RFC 8693 section 4.1)."""
        trust, slips = self.trust, self.rules.slips
        if trust.binds and "ignores-certificate-binding" not in slips and _thumbprint(claims) != _digest(certificate):
            raise Rejected(Reason.TOKEN_CLAIMS, "the token is bound to another certificate (cnf), or to none")
        actors = list(_actors(claims))
        user = actors[0] if "authorises-by-actor" in slips and actors else claims.get("sub")
        if trust.users and user not in trust.users:
            raise Rejected(Reason.TOKEN_CLAIMS, "the user may not do this")
        counted = actors if "authorises-by-earlier-actor" in slips else actors[:1]
        if trust.actors and not trust.actors & set(counted):
            raise Rejected(Reason.TOKEN_CLAIMS, "the actor may not do this")


def _thumbprint(claims: dict[str, Any]) -> object:
    confirmation = claims.get("cnf")
    return confirmation.get("x5t#S256") if isinstance(confirmation, dict) else None


def _digest(certificate: x509.Certificate | None) -> str:
    """RFC 8705 section 3.1."""
    if certificate is None:
        return ""
    return base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()


def _actors(claims: dict[str, Any]) -> list[str]:
    """The current actor, then prior actors, latest first."""
    found: list[str] = []
    actor = claims.get("act")
    while isinstance(actor, dict):
        found.append(str(actor.get("sub", "")))
        actor = actor.get("act")
    return found


def gate(usual: Gate, application: Application) -> Gate:
    """The gate of a service in place of the *usual* one."""
    if not isinstance(application, Orders):
        raise UsageError("this gate is a service's")
    keys_for = _pooled(usual.keys_for, application.folder) if POOLS_KEYS in usual.rules.slips else usual.keys_for
    return ServiceGate(usual.protection, usual.subject, usual.rules, keys_for, usual.now, application.trust)


def _pooled(keys_for: KeysFor, folder: Path) -> KeysFor:
    """The keys of the trusted STS in one set with those of every other issuer."""

    async def pooled(kid: str | None) -> Keys:
        found = dict(await keys_for(kid))
        for file in sorted((folder / "jwt").glob("*/jwks.json")):
            found |= parse_keys(read_file(file))
        return found

    return pooled
