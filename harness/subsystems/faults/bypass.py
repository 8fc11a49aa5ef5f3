"""Faults by which a server is protected one way and open another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote

from cryptography import x509

from harness.subsystems.faults.chains import MTLS
from harness.subsystems.faults.registry import fault
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.policy import Demand, Protection, ServerPolicy

_IDENTITY = ("x-forwarded-user", "x-remote-user", "remote-user", "x-ssl-client-s-dn", "x-auth-request-user")
_METHODS = {"/ingestion": "POST"}
_OTHER = "PUT"


def _excusing(rules: ServerPolicy, excused: Callable[[HttpRequest], bool]) -> ServerPolicy:
    """ServerPolicy that ask each request for its credential, except those that are *excused*."""

    def demand(protection: Protection) -> Demand:
        asked = rules.demand(protection)
        return Demand.OPTIONAL if asked is Demand.REQUIRED else asked

    return replace(rules, demand=demand, asks_each_request=True, excuses=lambda ask: rules.excuses(ask) or excused(ask))


@fault("open-over-tls12", on=MTLS, implies=("PKI-16-PRESENCE",))
def open_over_tls12(rules: ServerPolicy) -> ServerPolicy:
    """requires no credential over TLS 1.2"""
    return _excusing(rules, lambda ask: ask.tls_version == "TLSv1.2")


@fault("open-under-another-name", on=MTLS)
def open_under_another_name(rules: ServerPolicy) -> ServerPolicy:
    """requires no credential if the SNI is not the request's host"""

    def misdirected(ask: HttpRequest) -> bool:
        return ask.sni != ask.headers.get("host", "").partition(":")[0]

    return _excusing(rules, misdirected)


@fault("resumes-without-certificate", on=MTLS, implies=("BYP-2-NAME",))
def resumes_without_certificate(rules: ServerPolicy) -> ServerPolicy:
    """requests a certificate only for its own name, but resumes a session of any name"""
    return replace(rules, resumes_other_names=True)


@fault("believes-certificate-header", on=MTLS)
def believes_certificate_header(rules: ServerPolicy) -> ServerPolicy:
    """accepts the certificate in X-SSL-Client-Cert from any sender as the client's own"""

    def carried(ask: HttpRequest) -> bool:
        try:
            x509.load_pem_x509_certificate(unquote(ask.headers.get("x-ssl-client-cert", "")).encode())
        except ValueError:
            return False
        return True

    return _excusing(rules, carried)


@fault("believes-identity-headers", on=MTLS)
def believes_identity_headers(rules: ServerPolicy) -> ServerPolicy:
    """accepts the user name in a proxy's header from any sender"""
    return _excusing(rules, lambda ask: any(name in ask.headers for name in _IDENTITY))


@fault("open-to-upgrades", on=MTLS)
def open_to_upgrades(rules: ServerPolicy) -> ServerPolicy:
    """requires no credential for a protocol upgrade (WebSocket, h2c)"""
    return _excusing(rules, lambda ask: "upgrade" in ask.headers)


@fault("protects-some-methods", on=MTLS)
def protects_some_methods(rules: ServerPolicy) -> ServerPolicy:
    """requires a credential only with the documented method, but acts on others as well"""

    def documented(ask: HttpRequest) -> str:
        return _METHODS.get(ask.path, _OTHER)

    rules = _excusing(rules, lambda ask: ask.method != documented(ask))
    return replace(rules, reads=lambda ask: replace(ask, method=documented(ask)))


@fault("protects-exact-path", on=MTLS)
def protects_exact_path(rules: ServerPolicy) -> ServerPolicy:
    """requires a credential only for the usual spelling of a path, but acts on other spellings as well"""
    rules = _excusing(rules, lambda ask: ask.path != _usual(ask.path))
    return replace(rules, reads=lambda ask: replace(ask, path=_usual(ask.path)))


def _usual(path: str) -> str:
    """*path* as a lenient reader takes it: decoded, in lower case, without empty and dotted segments."""
    after_scheme = path.partition("://")[2]
    path = f"/{after_scheme.partition('/')[2]}" if after_scheme else path
    kept: list[str] = []
    for segment in unquote(path).lower().split("/"):
        name = segment.partition(";")[0]
        kept = kept[:-1] if name == ".." else [*kept, *([name] if name not in ("", ".") else [])]
    return "/" + "/".join(kept)
