"""The gateway: routes a request to an API, authenticates it as APK 1.2's AuthFilter does, and forwards it."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from harness.errors import UsageError
from harness.model.vocabulary import Reason
from harness.subsystems.apk.configuration import Api, Mode, Settings, certificate, read, sources
from harness.subsystems.apk.policy import DESCRIPTION, GatewayPolicy
from harness.subsystems.server.access import Gate
from harness.subsystems.server.application import Application, HttpResponse, json_object, name_in, nothing_here
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.kind import Making
from harness.subsystems.server.rejection import Rejected, about_token
from harness.subsystems.server.token_verification import find_token

_AUTHORIZATION = "authorization"


@dataclass(frozen=True)
class Deployed:
    """An API with its modes and the certificates that it trusts."""

    api: Api
    mtls: Mode
    certificates: tuple[x509.Certificate, ...]


class Gateway(Application):
    """The deployed APIs, and the backend behind them, which records the requests that it receives."""

    def __init__(self, making: Making) -> None:
        if not isinstance(making.rules, GatewayPolicy):
            raise UsageError("a gateway needs a GatewayPolicy")
        self.rules = making.rules
        self.settings: Settings = read(making.config)
        self.deployed = {api.id: self._deploy(api) for api in self.settings.apis}
        self._effects: list[str] = []

    def _deploy(self, api: Api) -> Deployed:
        rules, profile = self.rules, self.settings.profile
        written = rules.mtls_part(profile, api)
        if written is None:
            return Deployed(api, Mode.DISABLED, ())
        pems = rules.sources(profile, sources(written, self.settings))
        mode = Mode(written.required) if written.required else rules.default_mode(profile)
        return Deployed(api, mode if rules.mtls_enabled(written) else Mode.DISABLED, tuple(map(certificate, pems)))

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Forward the request to the backend, which responds with the names of the headers that it received."""
        if ask.method != "POST":
            raise nothing_here(ask)
        self._effects.append(name_in(json_object(ask.body), "name"))
        withheld = self.rules.hides(
            frozenset({_AUTHORIZATION} | (set() if self.settings.outbound else {self.settings.header.lower()}))
        )
        return HttpResponse(200, {"headers": sorted(name for name in ask.headers if name not in withheld)})

    def effects(self) -> list[str]:
        """The requests that reached the backend."""
        return list(self._effects)

    def refusal(self, rejection: Rejected, usual: HttpResponse) -> HttpResponse:
        """APK's error body and challenge for everything about credentials."""
        if not about_token(rejection.reason):
            return usual
        body = {"error_message": "Invalid Credentials", "code": self.rules.code, "error_description": DESCRIPTION}
        headers = (("WWW-Authenticate", self.rules.challenge),) if self.rules.challenge else ()
        return HttpResponse(self.rules.gateway_status, body, headers)


@dataclass(frozen=True)
class ApiGate(Gate):
    """APK's AuthFilter: mTLS first, whose failure is final; then OAuth2, unless the certificate is sufficient."""

    gateway: Gateway

    async def admit(self, ask: HttpRequest, certificate: x509.Certificate | None) -> None:
        """Raises Rejected, and nothing else, unless *ask* may be acted upon."""
        gateway, rules = self.gateway, self.gateway.rules
        api = gateway.settings.api(ask.path)
        if api is None:
            raise Rejected(Reason.NOT_FOUND, "no API has this base path")
        deployed = gateway.deployed[api.id]
        mtls, oauth2 = rules.mtls_mode(deployed.mtls), rules.oauth2_mode(api.oauth2)
        unsecured = ask.path.removeprefix(api.base) in api.unsecured
        if unsecured and (mtls is Mode.DISABLED or rules.exempt(api, ask.path)):
            return
        compact = find_token(ask.authorization, ask.query, rules)
        right = self._certificate(ask, deployed, mtls, compact is not None)
        if right and (unsecured or not rules.goes_on(mtls, oauth2)):
            if rules.also_verifies(oauth2, compact is not None):
                await self._check_token(ask)
            return
        await self._token(ask, mtls, oauth2, compact is not None)

    def _certificate(self, ask: HttpRequest, deployed: Deployed, mtls: Mode, has_token: bool) -> bool:
        """Whether the right certificate was presented; raises Rejected for a wrong one, or a mandatory one missing."""
        rules = self.gateway.rules
        if mtls is Mode.DISABLED:
            return False
        value = rules.header(ask.headers, self.gateway.settings).strip()
        if not value:
            if mtls is Mode.MANDATORY and rules.missing_stops(has_token):
                raise Rejected(Reason.CERTIFICATE_MISSING, "mTLS is mandatory, and the header is missing")
            return False
        try:
            self._trust(value, deployed)
        except Rejected:
            if rules.wrong_stops(mtls):
                raise
            return False
        return True

    def _trust(self, value: str, deployed: Deployed) -> None:
        settings, rules = self.gateway.settings, self.gateway.rules
        try:
            presented = rules.certificate(rules.decode(value, settings))
        except Rejected:
            if rules.unreadable_stops:
                raise
            return
        everybodys = [one for each in self.gateway.deployed.values() for one in each.certificates]
        pool = rules.pool(deployed.certificates, everybodys)
        if presented is None:
            raise Rejected(Reason.CERTIFICATE_UNTRUSTED, "the header holds no certificate between markers")
        verify = rules.path if settings.full_path else rules.trusted
        if not verify(presented, pool):
            raise Rejected(Reason.CERTIFICATE_UNTRUSTED, f"{presented.subject.rfc4514_string()} is not configured")

    async def _token(self, ask: HttpRequest, mtls: Mode, oauth2: Mode, has_token: bool) -> None:
        rules = self.gateway.rules
        if oauth2 is Mode.DISABLED:
            if not rules.alone(mtls, oauth2):
                raise Rejected(Reason.CERTIFICATE_MISSING, "the client is not authenticated")
            return
        if not has_token and rules.bare(mtls, oauth2):
            return
        try:
            await self._check_token(ask)
        except Rejected:
            if not has_token or rules.broken_token_stops(oauth2):
                raise


def gate(usual: Gate, application: Application) -> Gate:
    """The gate of a gateway in place of the *usual* one."""
    if not isinstance(application, Gateway):
        raise UsageError("this gate is a gateway's")
    return ApiGate(usual.protection, usual.subject, usual.rules, usual.keys_for, usual.now, application)
