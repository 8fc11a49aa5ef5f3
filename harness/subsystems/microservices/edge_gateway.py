"""The edge gateway: accepts tokens of the external identity provider, exchanges them at the STS, and calls Order
Processing with the new token.  It never forwards the external one.

A self-contained token is verified as in any service.  A reference token is introspected (RFC 7662); the response is
cached for at most a minute, and never beyond the token's ``exp``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from cryptography import x509

from harness.errors import UsageError
from harness.model.vocabulary import Reason
from harness.subsystems.microservices.oauth import ACCESS_TOKEN, GRANT, JWT_TYPE, TOKEN_PATH
from harness.subsystems.microservices.upstreams import NONCE, Upstreams, is_reference
from harness.subsystems.server.access import Gate
from harness.subsystems.server.application import Application, HttpResponse, Outgoing
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.kind import Making
from harness.subsystems.server.rejection import Rejected
from harness.subsystems.server.token_verification import find_token

CLIENT, SECRET = "edge-gateway", "edge-gateway-client"
AUDIENCE, UPSTREAM = "op.ecomm.test", "order-processing"
CACHE_SECONDS = 60.0


class EdgeGateway(Application):
    """``/orders/<name>`` of Order Processing, for clients with a token of the external identity provider."""

    def __init__(self, making: Making) -> None:
        self._rules, self._clock = making.rules, making.clock
        spec = yaml.safe_load(making.config.read_text("utf-8"))["spec"]
        self._issuer, self._audience = str(spec.get("issuer", "")), str(spec.get("audience", ""))
        self._upstreams = Upstreams(making, CLIENT, SECRET)
        self._introspected: dict[str, tuple[Mapping[str, Any], float]] = {}
        self._inner = ""
        self._forwarded: list[str] = []

    def connect(self, outgoing: Outgoing, hosts: Mapping[str, str]) -> None:
        """See :class:`Application`."""
        self._upstreams.connect(outgoing, hosts)

    def effects(self) -> list[str]:
        """The names of the orders that Order Processing accepted."""
        return list(self._forwarded)

    async def answer(self, ask: HttpRequest) -> HttpResponse:
        """Exchange the token and forward the request."""
        outer = find_token(ask.authorization, ask.query, self._rules)
        inner = await self._exchanged(outer, ask.nonce) if outer else ""
        headers = {"Content-Type": "application/json", NONCE: ask.nonce}
        if inner:
            headers["Authorization"] = f"Bearer {inner}"
        reply = await self._upstreams.call(UPSTREAM, ask.method, ask.path, headers, ask.body)
        if reply.status < 300:
            self._forwarded.append(ask.path.rpartition("/")[2])
        return HttpResponse(reply.status, reply.body)

    async def _exchanged(self, outer: str, nonce: str) -> str:
        """The STS's token for Order Processing, in exchange for *outer*."""
        slips = self._rules.slips
        if "edge-forwards-external-token" in slips:
            return outer
        if "edge-shares-inner-token" in slips and self._inner:
            return self._inner
        form = {
            "grant_type": GRANT,
            "subject_token": outer,
            "subject_token_type": ACCESS_TOKEN if is_reference(outer) else JWT_TYPE,
            "audience": AUDIENCE,
        }
        status, members = await self._upstreams.post("sts", TOKEN_PATH, form, nonce)
        inner = members.get("access_token")
        if status != 200 or not isinstance(inner, str):
            raise Rejected(Reason.TOKEN_CLAIMS, f"the STS answered {status} {members.get('error', '')}")
        self._inner = inner
        return inner

    async def introspect(self, reference: str, nonce: str) -> None:
        """Raises Rejected unless *reference* is active and its audience is this gateway."""
        claims = self._cached(reference) or await self._introspected_now(reference, nonce)
        audience = claims.get("aud")
        named = self._audience in (audience if isinstance(audience, list) else [audience])
        if claims.get("iss") != self._issuer or not (
            named or "edge-ignores-introspected-audience" in self._rules.slips
        ):
            raise Rejected(Reason.TOKEN_CLAIMS, "the token is from another issuer, or for another audience")

    def _cached(self, reference: str) -> Mapping[str, Any] | None:
        claims, until = self._introspected.get(reference, ({}, 0.0))
        lasts = "edge-keeps-introspections" in self._rules.slips or self._clock.now() < until
        return claims if claims and lasts else None

    async def _introspected_now(self, reference: str, nonce: str) -> Mapping[str, Any]:
        status, claims = await self._upstreams.introspect("identity-provider", reference, nonce)
        now, expiry = self._clock.now(), claims.get("exp")
        if status != 200:
            raise Rejected(Reason.KEYS_UNAVAILABLE, f"introspection was answered {status}")
        if "edge-takes-inactive-tokens" in self._rules.slips and not claims.get("active"):
            return {"iss": self._issuer, "aud": self._audience}
        if claims.get("active") is not True or not isinstance(expiry, int) or expiry <= now:
            raise Rejected(Reason.TOKEN_CLAIMS, "the token is not active")
        self._introspected[reference] = claims, min(now + CACHE_SECONDS, expiry)
        return claims


@dataclass(frozen=True)
class EdgeGate(Gate):
    """Admits requests with a valid token of the external identity provider, self-contained or reference."""

    edge: EdgeGateway

    async def admit(self, ask: HttpRequest, certificate: x509.Certificate | None) -> None:
        """Raises Rejected, and nothing else, unless *ask* may be acted upon."""
        token = find_token(ask.authorization, ask.query, self.rules)
        if token is None or not is_reference(token) or not self.rules.verifies_token(self.protection):
            await super().admit(ask, certificate)
            return
        try:
            await self.edge.introspect(token, ask.nonce)
        except Rejected:
            raise
        except Exception as error:  # a decision that cannot be made is a rejection
            raise Rejected(Reason.TOKEN_MALFORMED, f"introspection failed with {type(error).__name__}") from error


def gate(usual: Gate, application: Application) -> Gate:
    """The gate of the edge gateway in place of the *usual* one."""
    if not isinstance(application, EdgeGateway):
        raise UsageError("this gate is the edge gateway's")
    return EdgeGate(usual.protection, usual.subject, usual.rules, usual.keys_for, usual.now, application)
