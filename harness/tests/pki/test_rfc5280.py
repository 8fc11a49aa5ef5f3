"""Departures from RFC 5280's profile: what is a warning is what OpenSSL refuses when it is strict, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from OpenSSL import SSL, crypto

from harness.model.finding import Severity
from harness.pki.issue import Identifiers, Identity, Profile, dns_names, issue
from harness.pki.keys import Key
from harness.pki.rfc5280 import LEFT_OUT, NOTES, WARNINGS, Departure, available
from harness.pki.rfc5280 import Profile as Rfc5280

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
_SIGNS = frozenset({"digital_signature", "key_encipherment", "key_cert_sign"})
_LEAF = frozenset({"digital_signature", "key_encipherment"})
_CRITICAL = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})


@pytest.fixture(scope="module")
def keys() -> Sequence[Key]:
    return [rsa.generate_private_key(65537, 2048) for _ in range(2)]


def name(common: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(f"CN={common},O=cert-manager")


AUTHORITY = Profile(
    name("ingress-ca"),
    NOW - timedelta(days=30),
    NOW + timedelta(days=3000),
    _SIGNS,
    constraints=x509.BasicConstraints(ca=True, path_length=None),
)
LEAF = replace(AUTHORITY, subject=name("portal-admin"), constraints=None, key_usage=_LEAF, extended=(CLIENT,))


def pair(keys: Sequence[Key], authority: Profile, leaf: Profile) -> tuple[Identity, Identity]:
    ca = issue(authority, key=keys[0])
    return ca, issue(leaf, ca, key=keys[1])


def strictly_refused(ca: Identity, leaf: Identity, flags: int) -> bool:
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(ca.certificate))
    store.set_time(NOW)
    store.set_flags(flags)
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf.certificate)).verify_certificate()
    except crypto.X509StoreContextError:
        return True
    return False


def warnings(*identities: Identity) -> set[str]:
    found = [each for identity in identities for each in Rfc5280().departures(identity.certificate)]
    return {each.code for each in found if each.severity is Severity.WARNING}


def test_it_is_there() -> None:
    assert available()


@pytest.mark.parametrize(
    "hosts", [(), ("*.apic", "*.apic.svc", "portal-server", "*.portal-db-all.apic.svc.cluster.local")]
)
def test_what_cert_manager_makes_departs_in_nothing(keys: Sequence[Key], hosts: tuple[str, ...]) -> None:
    ca, leaf = pair(keys, AUTHORITY, replace(LEAF, names=dns_names(hosts), identifiers=Identifiers(own=False)))
    assert [*Rfc5280().departures(ca.certificate), *Rfc5280().departures(leaf.certificate)] == []
    assert not strictly_refused(ca, leaf, crypto.X509StoreFlags.X509_STRICT)


_OPENSSL_4 = 0x40000000
_STRICT = {
    "pkix.basic_constraints_extension_not_critical": (
        replace(AUTHORITY, critical=_CRITICAL - {ExtensionOID.BASIC_CONSTRAINTS}),
        LEAF,
    ),
    "pkix.ca_certificate_no_ku_extension": (replace(AUTHORITY, key_usage=None), LEAF),
    "pkix.certificate_skid_ca_missing": (replace(AUTHORITY, identifiers=Identifiers(own=False)), LEAF),
    "pkix.authority_key_identifier_extension_absent": (
        AUTHORITY,
        replace(LEAF, identifiers=Identifiers(issuer_key=False)),
    ),
    "pkix.san_extension_not_critical_empty_subject": (
        AUTHORITY,
        replace(LEAF, subject=x509.Name([]), names=dns_names(["api.acme.com"])),
    ),
    "pkix.ee_certificate_keycertsign_keyusage_set": (AUTHORITY, replace(LEAF, key_usage=_SIGNS)),
}


@pytest.mark.parametrize("code", sorted(_STRICT))
def test_a_warning_is_what_strict_openssl_refuses_and_other_openssl_takes(keys: Sequence[Key], code: str) -> None:
    ca, leaf = pair(keys, *_STRICT[code])
    assert warnings(ca, leaf) == {code}
    assert "X509_STRICT" in WARNINGS[code][1]
    still = SSL.OPENSSL_VERSION_NUMBER < _OPENSSL_4 or "before OpenSSL 4.0" not in WARNINGS[code][1]
    assert strictly_refused(ca, leaf, crypto.X509StoreFlags.X509_STRICT) is still
    assert not strictly_refused(ca, leaf, 0)


@pytest.mark.parametrize("host", ["https://api.acme.com", "api .acme.com", "api..acme.com"])
def test_a_dns_name_that_is_no_host_name(keys: Sequence[Key], host: str) -> None:
    _, leaf = pair(keys, AUTHORITY, replace(LEAF, names=dns_names([host])))
    assert warnings(leaf) == {"pkix.invalid_domain_name_syntax"}


def test_what_nobody_minds_is_a_note() -> None:
    ca = issue(AUTHORITY)  # an EC key
    (found,) = Rfc5280().departures(ca.certificate)
    code = "pkix.key_usage_value_prohibited_for_ec"
    assert found == Departure(code, Severity.NOTE, NOTES[code])


def test_a_code_is_in_one_table() -> None:
    assert not (set(WARNINGS) & set(NOTES)) and not (set(LEFT_OUT) & {*WARNINGS, *NOTES})
