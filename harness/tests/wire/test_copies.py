"""Copies of a client's certificate: what the original says, they say, and they are signed as it was."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from harness.pki.deployment import Pki
from harness.pki.issue import Identifiers, Identity, Profile, Signing, extension_of, issue
from harness.pki.keys import Key, authority_key, new_key, spare_key
from harness.products.registry import reference
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.contexts import trusting
from harness.stimuli.partial import ClientCredential, PartialPki
from harness.stimuli.partial.stimuli import REISSUED, PartialStimuli
from harness.stimuli.partial.tokens import ExternallySignedTokens
from harness.targets.credentials import _signing
from harness.tests.builders import SECOND

POLICY = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("1.3.6.1.4.1.99999.7"), None)])
PRIVATE = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.8"), b"\x0c\x01x")
NAMES = (
    x509.UniformResourceIdentifier("spiffe://example.test/orders"),
    x509.DNSName("orders.example.test"),
    x509.RFC822Name("orders@example.test"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
    x509.DirectoryName(x509.Name.from_rfc4514_string("CN=orders")),
    x509.RegisteredID(ObjectIdentifier("1.2.3.4")),
    x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x06orders"),
)
CLIENT_AUTH = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION)


def profile(pki: Pki, **changes: object) -> Profile:
    start = pki.now - timedelta(days=1)
    common: dict[str, object] = {"subject": x509.Name.from_rfc4514_string("CN=orders,O=Example")}
    common |= {"not_before": start, "not_after": start + timedelta(days=90)}
    return Profile(**(common | changes))  # type: ignore[arg-type]


def given(pki: Pki, own: Profile, key: Key | None = None, authority: Identity | None = None) -> PartialPki:
    root = authority or issue(pki.ca_profile("Example CA"))
    return PartialPki({"orders": ClientCredential("orders", issue(own, root, key=key), root)})


def copy_of(pki: PartialPki, tmp_path: Path) -> Identity:
    made = PartialStimuli(pki, ExternallySignedTokens(None, {}), tmp_path)._identity("orders", REISSUED)
    assert made is not None
    return made


def said(certificate: x509.Certificate) -> set[tuple[str, bool, object]]:
    return {(each.oid.dotted_string, each.critical, each.value) for each in certificate.extensions}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"names": NAMES, "extended": CLIENT_AUTH, "key_usage": frozenset({"key_agreement", "decipher_only"})},
        {"extra": ((POLICY, False), (PRIVATE, False)), "names": NAMES[:1]},
        {"critical": frozenset({x509.SubjectAlternativeName.oid, x509.ExtendedKeyUsage.oid}), "names": NAMES,
         "extended": CLIENT_AUTH, "subject": x509.Name([])},
        {"identifiers": Identifiers(own=False, issuer_key=False)},
        {"identifiers": Identifiers(issuer_key=False, issuer_name=True)},
        {"identifiers": Identifiers(issuer_name=True)},
        {"constraints": x509.BasicConstraints(ca=False, path_length=None), "critical": frozenset()},
    ],
)  # fmt: skip
def test_a_copy_says_what_the_original_says(pki: Pki, tmp_path: Path, changes: dict[str, object]) -> None:
    whole = given(pki, profile(pki, **changes))
    original, made = whole.identity("orders").certificate, copy_of(whole, tmp_path)
    assert said(made.certificate) == said(original)
    for part in ("subject", "issuer", "not_valid_before_utc", "not_valid_after_utc"):
        assert getattr(made.certificate, part) == getattr(original, part)
    assert made.certificate.serial_number != original.serial_number
    assert made.certificate.public_key() == original.public_key()


KEYS: dict[str, Key] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "Ed448": ed448.Ed448PrivateKey.generate(),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_renewed_certificate_and_an_attacker_s_have_the_same_kind_of_key(pki: Pki, kind: str) -> None:
    key = KEYS[kind]
    whole = given(pki, profile(pki), key, issue(pki.ca_profile("Example CA"), key=key))
    for name in CERTIFICATE_CLASSES:
        if name in ("tls-no-cert", "ta-other-ca", "tls-crl-revoked", "k-rsa-weak", SECOND):
            continue
        made = CERTIFICATE_CLASSES[name].build(whole, "orders")
        assert made is not None
        for certificate in made.chain:
            assert type(certificate.public_key()) is type(key.public_key()), name


def test_keys_are_of_the_size_that_was_there() -> None:
    small = rsa.generate_private_key(65537, 1024)
    assert new_key(small).key_size == new_key(small.public_key()).key_size == 1024  # type: ignore[union-attr]
    assert spare_key("test", small) is spare_key("test", small.public_key())
    assert spare_key("test", small) is not spare_key("another", small)
    assert isinstance(new_key("whatever"), ec.EllipticCurvePrivateKey)
    first, second = (authority_key(KEYS["P-384"].public_key()) for _ in range(2))
    assert first.public_key() != second.public_key()


def signed(key: Key, how: Signing) -> tuple[x509.Certificate, Signing]:
    start = Pki.create(reference().pki, signing_key=KEYS["RSA"]).ca_profile("CA")  # type: ignore[arg-type]
    root = issue(start, key=key)
    leaf = issue(start, Identity(root.chain, root.key, how)).certificate
    leaf.verify_directly_issued_by(root.certificate)
    return leaf, _signing(leaf)


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("RSA", Signing(hashes.SHA512())),
        ("RSA", Signing(hashes.SHA384(), pss=True)),
        ("P-384", Signing(hashes.SHA384())),
        ("Ed25519", Signing()),
        ("Ed448", Signing()),
    ],
)
def test_a_ca_signs_copies_as_it_signed_the_original(kind: str, how: Signing) -> None:
    leaf, found = signed(KEYS[kind], how)
    assert (type(found.digest), found.pss) == (type(how.digest), how.pss)
    if kind == "RSA":
        assert isinstance(leaf.signature_algorithm_parameters, padding.PSS) is how.pss


def test_copies_go_with_the_client_s_own_intermediate(pki: Pki) -> None:
    root = issue(pki.ca_profile("Example Root"))
    issuing = issue(pki.ca_profile("Example Issuing CA"), root)
    own = issue(profile(pki), issuing).sending(issuing)
    whole = PartialPki({"orders": ClientCredential("orders", own, issuing)})
    for name, row in CERTIFICATE_CLASSES.items():
        if name in (
            "tls-no-cert",
            "ta-other-ca",
            "tls-crl-revoked",
            "ta-unknown-ca",
            "ta-selfsigned-leaf",
            "ta-shipped-root",
            SECOND,
        ):
            continue  # nothing, what is another's, or what leads to another root
        made = row.build(whole, "orders")
        assert made is not None
        assert issuing.certificate in made.chain, name
        assert len(set(made.chain)) == len(made.chain), name


def test_a_ca_further_up_signs_directly(pki: Pki, tmp_path: Path) -> None:
    root = issue(pki.ca_profile("Example Root"))
    issuing = issue(pki.ca_profile("Example Issuing CA"), root)
    own = issue(profile(pki), issuing).sending(issuing)
    made = copy_of(PartialPki({"orders": ClientCredential("orders", own, root)}), tmp_path)
    assert len(made.chain) == 1
    made.certificate.verify_directly_issued_by(root.certificate)


def test_a_ca_without_key_identifier_is_a_ca(pki: Pki) -> None:
    root = issue(replace(pki.ca_profile("old"), key_usage=None, identifiers=Identifiers(own=False)))
    assert extension_of(root.certificate, x509.SubjectKeyIdentifier) is None
    whole = given(pki, profile(pki), authority=root)
    for name in set(CERTIFICATE_CLASSES) - {"tls-no-cert", "ta-other-ca", "tls-crl-revoked", SECOND}:
        assert CERTIFICATE_CLASSES[name].build(whole, "orders") is not None


def test_a_context_is_no_stricter_under_one_python_than_under_another(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(pki.issuer("portal-admin").pem())
    for context in (trusting(tmp_path / "ca.pem"), trusting()):
        assert not context.verify_flags & ssl.VERIFY_X509_STRICT
        assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
