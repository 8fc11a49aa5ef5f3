"""The decisions of an APK gateway that a fault can change; the defaults are what APK 1.2 does."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote_plus

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from harness.model.vocabulary import Reason
from harness.subsystems.apk.configuration import Api, Mode, Profile, Settings, Written
from harness.subsystems.server.policy import ServerPolicy, as_given
from harness.subsystems.server.rejection import Rejected

T = TypeVar("T")
Trusted = Callable[[x509.Certificate, Sequence[x509.Certificate]], bool]
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*)-----END CERTIFICATE-----", re.DOTALL)
CODE, DESCRIPTION = "900901", "Make sure you have provided the correct security credentials"
CHALLENGE = (
    'Mutual SSL realm="APK" Bearer realm="APK" JWT realm="APK", error="invalid_token", '
    'error_description="The provided token is invalid"'
)


def same_certificate(presented: x509.Certificate, trusted: Sequence[x509.Certificate]) -> bool:
    """Exact equality with one that is configured: no chain, no expiry, no revocation."""
    return presented in trusted


def path_is_valid(presented: x509.Certificate, anchors: Sequence[x509.Certificate]) -> bool:
    """Full path validation, by OpenSSL: *presented* is for clients, leads to one of *anchors*, and all is valid now."""
    try:
        usage = presented.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
            return False
    except x509.ExtensionNotFound:
        pass  # without the extension a certificate is for every use (RFC 5280 section 4.2.1.12)
    store = crypto.X509Store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for anchor in anchors:
        store.add_cert(crypto.X509.from_cryptography(anchor))
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(presented)).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


def default_mode(profile: Profile) -> Mode:
    """What ``required`` means where it is not set."""
    return Mode.MANDATORY if profile is Profile.DOCUMENT else Mode.OPTIONAL


def mtls_part(profile: Profile, api: Api) -> Written | None:
    """What counts of mTLS as it is written: the document's place of it in a resource is unknown to the public code."""
    return api.written or (api.documented if profile is Profile.DOCUMENT else None)


def used_sources(profile: Profile, lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Which certificates count of several sources: all (document), or those of the first (public code)."""
    return tuple(pem for found in (lists if profile is Profile.DOCUMENT else lists[:1]) for pem in found)


def read_header(value: str) -> x509.Certificate | None:
    """The certificate in a header's value; None where there is none between markers."""
    found = _PEM.search(value)
    if found is None:
        return None
    try:
        return x509.load_der_x509_certificate(base64.b64decode("".join(found[1].split()), validate=True))
    except (ValueError, binascii.Error) as error:
        raise Rejected(Reason.CERTIFICATE_UNTRUSTED, f"the header holds no certificate: {error}") from error


def header_value(headers: Mapping[str, str], settings: Settings) -> str:
    """What stands in the configured header; '' where it is missing."""
    return headers.get(settings.header.lower(), "")


def decoded(value: str, settings: Settings) -> str:
    """URL-decoded where the gateway is configured to expect that."""
    return unquote_plus(value) if settings.encoded else value


def goes_on(mtls: Mode, oauth2: Mode) -> bool:
    """Whether a request with the right certificate must bring a token as well."""
    return oauth2 is Mode.MANDATORY


def hidden(names: frozenset[str]) -> frozenset[str]:
    """The headers that the backend does not get."""
    return names


def no_exception(api: Api, path: str) -> bool:
    """An operation with ``secured: false`` still needs the mandatory certificate."""
    return False


@dataclass(frozen=True)
class GatewayPolicy(ServerPolicy):
    """The decisions, in the order in which they are made."""

    mtls_part: Callable[[Profile, Api], Written | None] = mtls_part
    default_mode: Callable[[Profile], Mode] = default_mode
    mtls_enabled: Callable[[Written], bool] = lambda written: not written.disabled
    sources: Callable[[Profile, Sequence[tuple[str, ...]]], tuple[str, ...]] = used_sources
    mtls_mode: Callable[[Mode], Mode] = as_given
    oauth2_mode: Callable[[Mode], Mode] = as_given
    exempt: Callable[[Api, str], bool] = no_exception
    header: Callable[[Mapping[str, str], Settings], str] = header_value
    decode: Callable[[str, Settings], str] = decoded
    certificate: Callable[[str], x509.Certificate | None] = read_header
    pool: Callable[[Sequence[x509.Certificate], Sequence[x509.Certificate]], Sequence[x509.Certificate]] = (
        lambda own, everybodys: own
    )
    unreadable_stops: bool = True
    trusted: Trusted = same_certificate
    path: Trusted = path_is_valid
    wrong_stops: Callable[[Mode], bool] = lambda mode: True
    missing_stops: Callable[[bool], bool] = lambda has_token: True
    goes_on: Callable[[Mode, Mode], bool] = goes_on
    also_verifies: Callable[[Mode, bool], bool] = lambda oauth2, has_token: False
    alone: Callable[[Mode, Mode], bool] = lambda mtls, oauth2: mtls is Mode.DISABLED
    bare: Callable[[Mode, Mode], bool] = lambda mtls, oauth2: False
    broken_token_stops: Callable[[Mode], bool] = lambda oauth2: True
    hides: Callable[[frozenset[str]], frozenset[str]] = hidden
    code: str = CODE
    challenge: str = CHALLENGE
    gateway_status: int = 401
