"""Portal, gateways and analytics as clients: of management's platform REST API, and a gateway of analytics.

Calls to the platform API are plain TLS; its certificate is validated where the CR names a CA for it
(``mgmtPlatformEndpointCASecret``), which new installations have by default and upgraded ones only if it was added.  A
gateway presents to analytics what management gave it when the gateway service was registered: a client certificate
and, where the product has it and it was switched on, a JWT.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from harness.errors import UsageError
from harness.model.observations import DrivenClient
from harness.model.protocol import Destination
from harness.subsystems.apic.gateway import Gateway
from harness.subsystems.apic.management import INGRESS_CA, KEYS_PATH, PLATFORM_PATH
from harness.subsystems.server.certificates import Material, Secret, certificates, material, read_file
from harness.subsystems.server.client import Call, CallFailed, Trust, call
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.kind import Acting, PlatformCas
from harness.subsystems.server.policy import ServerPolicy

_PLATFORM_PATHS = {"call-platform": PLATFORM_PATH, "fetch-keys": KEYS_PATH}
ACTIONS = (*_PLATFORM_PATHS, "publish-event")
Credentials = Mapping[str, Any]


@dataclass(frozen=True)
class Caller:
    """A subsystem's client half.

    ``platform`` are the CAs of the platform API (where the CR names none, nothing is validated), ``events`` those of
    the analytics endpoint, where a registration brought none; ``ingestion`` gives what the last registration brought;
    ``sends_token`` says whether the product sends a JWT with its events.
    """

    clock: LabClock
    rules: ServerPolicy
    platform: PlatformCas
    events: tuple[x509.Certificate, ...]
    ingestion: Callable[[bool], Credentials | None]
    sends_token: bool

    async def act(self, reactor: Any, name: str, target: Destination, nonce: str) -> DrivenClient:
        """Make the request *name* to *target*: ``{"status", "error", "local_port"}``; status None where no answer came.

        Raises UsageError for an unknown action, or for events of a gateway that is not registered.
        """
        if name not in ACTIONS:
            raise UsageError(f"unknown action {name!r}; known: {', '.join(ACTIONS)}")
        url, address = target.url.rstrip("/"), target.connect
        if name in _PLATFORM_PATHS:
            headers = {"X-Hopproof-Case": nonce}
            request, trust = Call("GET", url + _PLATFORM_PATHS[name], address, headers), self._platform_trust(url)
        else:
            request, trust = self._event(url, address, nonce)
        try:
            reply = await call(reactor, request, trust)
        except CallFailed as error:
            return {"status": None, "error": str(error), "local_port": error.local_port}
        return {"status": reply.status, "error": "", "local_port": reply.local_port}

    def _platform_trust(self, url: str) -> Trust:
        authorities = self.platform.of(url)
        validates = authorities is not None and self.rules.verifies_server
        return Trust(
            self.rules.trusts(authorities or ()),
            self.clock,
            verifies=validates,
            verifies_host=self.rules.verifies_host,
        )

    def _event(self, url: str, address: str, nonce: str) -> tuple[Call, Trust]:
        given = self.ingestion(self.rules.presents_newest)
        if given is None:
            raise UsageError("this gateway service has not been registered, so it has nothing to present to analytics")
        headers = {"X-Hopproof-Case": nonce, "Content-Type": "application/json"}
        if self.rules.sends_event_token(self.sends_token) and given.get("token"):
            headers["Authorization"] = f"Bearer {given['token']}"
        body = json.dumps({"id": nonce, "event": "api-call"}).encode()
        verifies, verifies_host = self.rules.verifies_server, self.rules.verifies_host
        trusted = given.get("trusted")
        events = certificates(trusted.encode(), "the CA of the registration") if trusted else self.events
        trust = Trust(events, self.clock, _identity(given), verifies, verifies_host)
        return Call("POST", f"{url}/ingestion", address, headers, body), trust


def _identity(given: Credentials) -> Material:
    """The client certificate of a registration; raises UsageError if it cannot be read."""
    parts = (given.get(name) for name in ("certificate", "key", "authority"))
    return material(Secret(*(part.encode() if isinstance(part, str) else b"" for part in parts)))


def caller(acting: Acting) -> Caller:
    """The client half of the subsystem that *acting* describes."""
    application = acting.application
    ca = certificates(read_file(acting.folder / "secrets" / INGRESS_CA / "ca.crt"), f"ca.crt of {INGRESS_CA}")
    given = application.ingestion if isinstance(application, Gateway) else lambda newest: None
    return Caller(acting.clock, acting.rules, acting.platform_authorities, ca, given, acting.sends_event_token)
