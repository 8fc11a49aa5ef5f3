"""Management: serves its public keys on the platform REST API, and is the client of the other subsystems.

It sends a JWT on every connection it initiates, whether or not the peer verifies it.  The claims of that JWT are not
public: the shape of API Connect's published tokens is taken instead (assumption).
"""

from __future__ import annotations

import json
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.errors import UsageError
from harness.model.observations import DrivenClient
from harness.model.protocol import Destination
from harness.subsystems.server.application import Application, HttpResponse, nothing_here
from harness.subsystems.server.certificates import Secret, certificates, material, read_file, read_secret
from harness.subsystems.server.client import Call, CallFailed, Reply, Trust, call
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.jwks import ALGORITHM, UnusableKeySet, parse_keys
from harness.subsystems.server.kind import Acting, Making
from harness.subsystems.server.policy import ServerPolicy

KEYS_PATH = "/api/cloud/oauth2/certs"
PLATFORM_PATH = "/api/cloud/info"  # any other call to the platform REST API; this one is the reference's own
INGESTION_CLIENT = "analytics-ingestion-client"
TOKEN_SECONDS = 900
_log = logging.getLogger(__name__)
INGRESS_CA = "ingress-ca"


@dataclass(frozen=True)
class Action:
    """A request management makes: as which client (a path in its CR), to where, with which body."""

    client: str
    method: str
    path: str
    body: dict[str, str]


ACTIONS = {
    "register-portal": Action(
        "portal.admin", "PUT", "/api/portals/{nonce}", {"name": "{nonce}", "endpoint": "https://portal.apic.test"}
    ),
    "publish-event": Action("analytics.ingestion", "POST", "/ingestion", {"id": "{nonce}", "event": "api-call"}),
    "register-gateway": Action("gateway.client", "PUT", "/mgmt/services/{nonce}", {"name": "{nonce}"}),
    "publish-api": Action("gateway.client", "PUT", "/mgmt/apis/{nonce}", {"name": "{nonce}"}),
}


class PlatformApi(Application):
    """``GET /api/cloud/oauth2/certs``: the JWK set, read from the folder each time, so a rotation shows at once."""

    def __init__(self, folder: Path, counters: Counter[str], rules: ServerPolicy) -> None:
        self._folder, self._counters, self._rules = folder, counters, rules
        counters.update(jwks_hits=0)

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Serve the keys."""
        if ask.method in ("GET", "HEAD") and ask.path == PLATFORM_PATH:
            return HttpResponse(200, {"name": "platform API"})
        if ask.method not in ("GET", "HEAD") or ask.path != KEYS_PATH:
            raise nothing_here(ask)
        self._counters["jwks_hits"] += 1
        return HttpResponse(200, self._rules.publishes(_jwks(self._folder)))


@dataclass(frozen=True)
class Sender:
    """Management's client half.

    ``clients`` maps the places of Action.client to secret names; ``stored`` are the copies of those secrets in
    management's database, and ``stored_ca`` that of the CA which it trusts: read when it starts and not again.
    """

    folder: Path
    clients: Mapping[str, str]
    clock: LabClock
    rules: ServerPolicy
    stored: Mapping[str, Secret]
    stored_ca: bytes = b""

    async def act(self, reactor: Any, name: str, target: Destination, nonce: str) -> DrivenClient:
        """Do the action *name* to *target*: ``{"status", "error", "local_port"}``; status None where no answer came.

        Raises UsageError for an unknown action or missing key material.
        """
        if name not in ACTIONS:
            raise UsageError(f"unknown action {name!r}; known: {', '.join(ACTIONS)}")
        try:
            reply = await self._send(reactor, name, target, nonce)
        except CallFailed as error:
            return {"status": None, "error": str(error), "local_port": error.local_port}
        return {"status": reply.status, "error": "", "local_port": reply.local_port}

    async def _send(self, reactor: Any, name: str, target: Destination, nonce: str) -> Reply:
        action = ACTIONS[name]
        if action.client not in self.clients:
            raise UsageError(f"the management CR names no client secret at spec.{action.client}.secretName")
        body: dict[str, Any] = {name: value.replace("{nonce}", nonce) for name, value in action.body.items()}
        if name == "register-gateway":
            body["ingestion"] = self._ingestion(with_jwt=target.with_jwt)
        headers = {"X-Hopproof-Case": nonce, "Content-Type": "application/json"}
        if self.rules.sends_token:
            headers["Authorization"] = f"Bearer {self._token()}"
        url = target.url.rstrip("/") + action.path.replace("{nonce}", nonce)
        request = Call(action.method, url, target.connect, headers, json.dumps(body).encode())
        return await call(reactor, request, self._trust(self.clients[action.client]))

    def _ingestion(self, *, with_jwt: bool) -> dict[str, str]:
        """What a gateway gets for analytics: the current client certificate, the CA, and a JWT if switched on."""
        secret = self._secret(INGESTION_CLIENT)
        parts = {"certificate": secret.certificate, "key": secret.key, "authority": secret.authority}
        given = {name: part.decode() for name, part in (*parts.items(), ("trusted", self._ca()))}
        return {**given, "token": self._token()} if with_jwt else given

    def _secret(self, name: str) -> Secret:
        return self.stored[name] if name in self.stored else read_secret(self.folder, name)

    def _ca(self) -> bytes:
        return self.stored_ca or read_file(self.folder / "secrets" / INGRESS_CA / "ca.crt")

    def _trust(self, client: str) -> Trust:
        identity = material(self._secret(client))
        authorities = certificates(self._ca(), f"ca.crt of {INGRESS_CA}")
        return Trust(authorities, self.clock, identity, self.rules.verifies_server, self.rules.verifies_host)

    def _token(self) -> str:
        key = _signing_key(read_file(self.folder / "jwt" / "signing.key"))
        issued = int(self.clock.now() - self.rules.token_age)
        claims = {
            "jti": str(uuid.uuid4()),
            "namespace": "cloud",
            "aud": "n/a",
            "sub": "n/a",
            "iss": "IBM API Connect",
            "token_type": "temporary",
            "iat": issued,
            "exp": issued + TOKEN_SECONDS,
            "scopes": {"url": "/api", "actions": ["manage"], "realm": "admin"},
        }
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": _kid_of(key, _jwks(self.folder))})


def platform_api(making: Making) -> PlatformApi:
    """Management's server half."""
    return PlatformApi(making.folder, making.counters, making.rules)


def sender(acting: Acting) -> Sender:
    """Management's client half; made when it starts, with the copies of the secrets that it then stores."""
    stored = database(acting.folder, acting.clients.values())
    location = acting.folder / "secrets" / INGRESS_CA / "ca.crt"
    ca = read_file(location) if location.exists() else b""
    return Sender(acting.folder, acting.clients, acting.clock, acting.rules, stored, ca)


def database(folder: Path, names: Iterable[str]) -> dict[str, Secret]:
    """The copies management makes of the secrets *names* when it starts; one that is not there yet is left out."""
    copies = {}
    for name in names:
        try:
            copies[name] = read_secret(folder, name)
        except UsageError:
            _log.info("no secret %s yet", name)
    return copies


@lru_cache(maxsize=16)
def _signing_key(pem: bytes) -> rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise UsageError("jwt/signing.key is not a readable private key in PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UsageError("jwt/signing.key is not an RSA key")
    return key


def _jwks(folder: Path) -> bytes:
    return read_file(folder / "jwt" / "jwks.json")


def _kid_of(key: rsa.RSAPrivateKey, jwks: bytes) -> str:
    """The id under which the public half of *key* is published; raises UsageError if it is not."""
    public = key.public_key()
    try:
        keys = parse_keys(jwks)
    except UnusableKeySet as error:
        raise UsageError(f"jwt/jwks.json: {error}") from error
    for kid, published in keys.items():
        if published.key == public:
            return kid
    raise UsageError("jwt/signing.key is not among the keys of jwt/jwks.json")
