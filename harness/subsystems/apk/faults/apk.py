"""Faults of a gateway that authenticates by certificate header and token: each changes one decision of its policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any
from urllib.parse import unquote_plus

from cryptography import x509

from harness.errors import UsageError
from harness.model.vocabulary import Reason
from harness.subsystems.apk.configuration import HEADER, Mode, Profile, Settings
from harness.subsystems.apk.faults.symptoms import SYMPTOMS
from harness.subsystems.apk.policy import GatewayPolicy, header_value, read_header
from harness.subsystems.faults.registry import fault
from harness.subsystems.server.policy import ServerPolicy
from harness.subsystems.server.rejection import Rejected

GATEWAYS = ("apk-gateway", "apk-document-gateway", "apk-configured-gateway")
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def _fault(name: str, summary: str, **changes: Any) -> None:
    """Register a fault that replaces the fields *changes* of a gateway's policy."""

    def change(rules: ServerPolicy) -> ServerPolicy:
        if not isinstance(rules, GatewayPolicy):
            raise UsageError(f"the fault {name!r} applies only to a gateway with a GatewayPolicy")
        return replace(rules, **changes)

    change.__doc__ = summary
    fault(name, on=GATEWAYS, implies=SYMPTOMS.get(name, ()))(change)


def _mode(old: Mode, new: Mode) -> Any:
    return lambda mode: new if mode is old else mode


def _without_markers(value: str) -> x509.Certificate | None:
    return read_header(value if _BEGIN in value else f"{_BEGIN}{value}{_END}")


def _no_blanks(value: str) -> x509.Certificate | None:
    content = value.removeprefix(_BEGIN).removesuffix(_END)
    if any(character.isspace() for character in content):
        raise Rejected(Reason.CERTIFICATE_UNTRUSTED, "blanks in the Base64")
    return read_header(value)


def _blank_counts(headers: Mapping[str, str], settings: Settings) -> str:
    found = headers.get(settings.header.lower())
    return "" if found is None else found.strip() or "blank"


def _default_too(headers: Mapping[str, str], settings: Settings) -> str:
    return header_value(headers, settings) or headers.get(HEADER.lower(), "")


def _same(*parts: str) -> Any:
    same = attrgetter(*parts)

    def trusted(presented: x509.Certificate, pool: Sequence[x509.Certificate]) -> bool:
        return any(same(presented) == same(one) for one in pool)

    return trusted


def _same_key(presented: x509.Certificate, pool: Sequence[x509.Certificate]) -> bool:
    return any(presented.public_key() == one.public_key() for one in pool)


def _issued_by(presented: x509.Certificate, pool: Sequence[x509.Certificate]) -> bool:
    return presented in pool or any(presented.issuer == one.subject for one in pool)


def _all_sources(profile: Profile, lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(pem for found in lists for pem in found)


def _first_source(profile: Profile, lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return lists[0] if lists else ()


_fault(
    "gateway-mandatory-certificate-optional",
    "treats a mandatory client certificate as optional",
    mtls_mode=_mode(Mode.MANDATORY, Mode.OPTIONAL),
)
_fault(
    "gateway-token-replaces-certificate",
    "accepts a bearer token in place of a mandatory client certificate",
    missing_stops=lambda has_token: not has_token,
)
_fault(
    "gateway-trusts-any-certificate",
    "accepts any certificate in the header as a configured one",
    trusted=lambda presented, pool: True,
)
_fault(
    "gateway-mandatory-wrong-certificate-ignored",
    "falls back to the token when a mandatory certificate is wrong",
    wrong_stops=lambda mode: mode is not Mode.MANDATORY,
)
_fault(
    "gateway-optional-wrong-certificate-ignored",
    "falls back to the token when an optional certificate is wrong",
    wrong_stops=lambda mode: mode is not Mode.OPTIONAL,
)
_fault("gateway-unreadable-certificate-passes", "accepts a header that cannot be parsed", unreadable_stops=False)
_fault(
    "gateway-optional-certificate-mandatory",
    "treats an optional client certificate as mandatory",
    mtls_mode=_mode(Mode.OPTIONAL, Mode.MANDATORY),
)
_fault(
    "gateway-optional-certificate-alone-passes",
    "accepts every client where the certificate is optional and OAuth2 is off",
    alone=lambda mtls, oauth2: True,
)
_fault(
    "gateway-optional-means-nothing",
    "accepts a request without any credential where OAuth2 is optional",
    bare=lambda mtls, oauth2: oauth2 is Mode.OPTIONAL,
)
_fault(
    "gateway-optional-token-unverified",
    "accepts a broken token where OAuth2 is optional",
    broken_token_stops=lambda oauth2: oauth2 is Mode.MANDATORY,
)
_fault(
    "gateway-first-certificate-only",
    "trusts only the first of several configured certificates",
    sources=lambda profile, lists: tuple(pem for found in lists for pem in found)[:1],
)
_fault(
    "gateway-last-certificate-only",
    "trusts only the last of several configured certificates",
    sources=lambda profile, lists: tuple(pem for found in lists for pem in found)[-1:],
)
_fault(
    "gateway-certificate-replaces-token",
    "requires no token once the certificate is right, although OAuth2 is mandatory",
    goes_on=lambda mtls, oauth2: False,
)
_fault("gateway-skips-token-signature", "does not verify a token's signature", proof=lambda token, keys: None)
_fault(
    "gateway-optional-token-demanded",
    "requires a token besides the right certificate where OAuth2 is optional",
    goes_on=lambda mtls, oauth2: oauth2 is not Mode.DISABLED,
)
_fault(
    "gateway-optional-token-verified",
    "refuses a broken token beside the right certificate where OAuth2 is optional",
    also_verifies=lambda oauth2, has_token: oauth2 is Mode.OPTIONAL and has_token,
)
_fault(
    "gateway-disabled-oauth2-verified",
    "requires a token where OAuth2 is disabled",
    oauth2_mode=_mode(Mode.DISABLED, Mode.MANDATORY),
)
_fault(
    "gateway-disabled-mtls-verified", "verifies the header where mTLS is disabled", mtls_enabled=lambda written: True
)
_fault("gateway-mtls-off", "deploys no mTLS at all", mtls_enabled=lambda written: False)
_fault(
    "gateway-default-optional",
    "treats mTLS without `required` as optional",
    default_mode=lambda profile: Mode.OPTIONAL,
)
_fault(
    "gateway-default-mandatory",
    "treats mTLS without `required` as mandatory",
    default_mode=lambda profile: Mode.MANDATORY,
)
_fault(
    "gateway-reads-document-place",
    "enforces mTLS under spec.default.mtls, which the schema does not have",
    mtls_part=lambda profile, api: api.written or api.documented,
)
_fault(
    "gateway-ignores-document-place",
    "ignores mTLS under spec.default.mtls, where the document has it",
    mtls_part=lambda profile, api: api.written,
)
_fault(
    "gateway-reads-another-header",
    "reads the certificate in a header that is not configured",
    header=lambda headers, settings: headers.get("x-client-cert-chain", ""),
)
_fault(
    "gateway-ignores-header-name",
    "reads the default header although another one is configured",
    header=lambda headers, settings: headers.get(HEADER.lower(), ""),
)
_fault(
    "gateway-reads-default-header-too",
    "reads the default header where the configured one is missing",
    header=_default_too,
)
_fault("gateway-needs-no-markers", "accepts a certificate without PEM markers", certificate=_without_markers)
_fault("gateway-refuses-folded-pem", "refuses PEM with spaces in place of line breaks", certificate=_no_blanks)
_fault("gateway-blank-header-counts", "treats a blank header as a wrong certificate", header=_blank_counts)
_fault(
    "gateway-always-url-decodes",
    "URL-decodes the header although it is not configured to",
    decode=lambda value, settings: unquote_plus(value.replace("+", "%2B")),
)
_fault(
    "gateway-never-url-decodes",
    "does not URL-decode the header although it is configured to",
    decode=lambda value, settings: value,
)
_fault(
    "gateway-trusts-other-apis-certificates",
    "trusts for one API the certificates that are configured for another one",
    pool=lambda own, everybodys: everybodys,
)
_fault("gateway-uses-all-sources", "uses every certificate source of a resource", sources=_all_sources)
_fault("gateway-uses-first-source", "uses the first certificate source of a resource only", sources=_first_source)
_fault(
    "gateway-trusts-same-issuer",
    "trusts every certificate with the issuer of a configured one",
    trusted=_same("issuer"),
)
_fault(
    "gateway-trusts-same-subject",
    "trusts every certificate with the subject of a configured one",
    trusted=_same("subject"),
)
_fault(
    "gateway-trusts-same-serial",
    "trusts every certificate with the issuer's name and the serial number of a configured one",
    trusted=_same("issuer", "serial_number"),
)
_fault("gateway-trusts-same-key", "trusts every certificate with the key of a configured one", trusted=_same_key)
_fault("gateway-trusts-issued-by", "treats a configured certificate as a CA", trusted=_issued_by)
_fault(
    "gateway-skips-path-validation",
    "does not validate the certification path although it is configured to",
    path=lambda presented, pool: True,
)
_fault(
    "gateway-hands-certificate-header-on",
    "forwards the certificate header to the backend",
    hides=lambda names: names & {"authorization"},
)
_fault(
    "gateway-hands-token-on", "forwards the bearer token to the backend", hides=lambda names: names - {"authorization"}
)
_fault(
    "gateway-withholds-outbound-header",
    "drops the certificate header although it is configured to forward it",
    hides=lambda names: names | {HEADER.lower(), "x-client-cert"},
)
_fault("gateway-other-error-code", "answers with another error code", code="900902")
_fault("gateway-no-challenge", "sends no challenge with a 401", challenge="")
_fault("gateway-answers-forbidden", "answers 403 to bad credentials", gateway_status=403)
_fault("gateway-forwards-first", "forwards the request before it authenticates the client", acts_first=True)
_fault(
    "gateway-open-operation-skips-certificate",
    "does not require the mandatory certificate on an operation that is not secured",
    exempt=lambda api, path: True,
)
