"""Who signed whom: signatures decide, whatever their digest; names and key ids only explain.

Each case is one that a published set of certificates has; docs/files.md names them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from harness.decode.exported_certificates import collect
from harness.model.finding import Severity
from harness.model.resource import Files
from harness.pki.issue import Identifiers, Identity, Profile, issue
from harness.pki.keys import Key
from harness.pki.rfc5280 import Departure
from harness.pki.rfc5280 import Profile as Rfc5280
from harness.pki.signatures import Issuers, self_signed, signed_by, unchecked
from harness.products.apic.rules import certificates, lint
from harness.products.rules import Question
from harness.tests.exports import NOW, SERVER, authority, leaf, name, secret
from harness.tests.exports import question as in_secrets


def resigned(certificate: x509.Certificate, key: Key, digest: str) -> x509.Certificate:
    """*certificate* with a signature over another digest."""
    again = crypto.X509.from_cryptography(certificate)
    again.sign(crypto.PKey.from_cryptography_key(key), digest)
    return again.to_cryptography()


def damaged(certificate: x509.Certificate) -> x509.Certificate:
    der = bytearray(certificate.public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_certificate(bytes(der))


def asked(**files: list[x509.Certificate]) -> Question:
    pem = [
        (f"{called}.pem", 1, b"".join(each.public_bytes(Encoding.PEM) for each in held))
        for called, held in files.items()
    ]
    found = Files([], pem, [], len(pem))
    return Question(found, collect(found), NOW, "", "")


def page(**files: list[x509.Certificate]) -> str:
    return certificates(asked(**files))


def two_algorithms(certificate: x509.Certificate) -> x509.Certificate:
    """*certificate*, which names another algorithm outside than inside: no library checks such a signature."""
    der, before = certificate.public_bytes(Encoding.DER), bytes.fromhex("2a8648ce3d040302")
    at = der.rindex(before)
    return x509.load_der_x509_certificate(der[:at] + before[:-1] + b"\x03" + der[at + len(before) :])


def made(ca: Identity, common: str = "api.acme.com", **changes: Any) -> Identity:
    profile = Profile(
        name(common), NOW - timedelta(days=20), NOW + timedelta(days=700), frozenset({"digital_signature"})
    )
    return issue(replace(profile, extended=(SERVER,), **changes), ca)


@pytest.fixture(scope="module")
def ca() -> Identity:
    return authority()


@pytest.fixture(scope="module")
def server(ca: Identity) -> x509.Certificate:
    return leaf("api.acme.com", ca, SERVER).certificate


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384"])
def test_a_digest_of_any_age(ca: Identity, server: x509.Certificate, digest: str) -> None:
    root, below = resigned(ca.certificate, ca.key, digest), resigned(server, ca.key, digest)
    assert signed_by(below, root) and self_signed(root) and Issuers([root]).signers(below) == [root]
    assert not signed_by(below, authority().certificate) and not signed_by(damaged(below), root)
    shown = page(root=[root], server=[below])
    assert "\n  root: " in shown and "\n    server: " in shown and "signed by no certificate" not in shown


def test_an_rsa_ca_with_sha1() -> None:
    key = rsa.generate_private_key(65537, 2048)
    root = authority()
    again = crypto.X509.from_cryptography(root.certificate)
    again.set_pubkey(crypto.PKey.from_cryptography_key(key))
    again.sign(crypto.PKey.from_cryptography_key(key), "sha1")
    assert self_signed(again.to_cryptography()) and not self_signed(damaged(again.to_cryptography()))


def test_key_ids_that_agree_and_a_signature_that_does_not(ca: Identity, server: x509.Certificate) -> None:
    shown = page(root=[ca.certificate], server=[damaged(server)])
    assert "damaged: it names the key" in shown and "orphan" not in shown


def test_a_signature_that_nothing_here_can_check_is_not_called_an_orphan(
    ca: Identity, server: x509.Certificate
) -> None:
    odd = two_algorithms(server)
    assert unchecked(server, ca.certificate) == "" and "do not match" in unchecked(odd, ca.certificate)
    question = asked(**{"ingress-ca": [ca.certificate], "portal-admin": [odd]})
    shown = certificates(question)
    assert "cannot be checked: Inner and outer" in shown and "orphan" not in shown
    secrets = [secret("ingress-ca", ca, ca), secret("portal-admin", Identity((odd,), ca.key), ca)]
    judgement = lint(in_secrets(yaml.safe_dump_all(secrets)))
    assert not [each for each in judgement.findings if each.requirement == "PKI-11"]
    assert "PKI-11" in judgement.undecided


def test_a_leaf_with_the_name_of_its_issuer_is_told_apart_by_its_authority_key_identifier() -> None:
    """By OpenSSL 3, that is: 4.0 goes by the names alone."""
    root = authority("cluster.local")
    by_names = SSL.OPENSSL_VERSION_NUMBER >= 0x40000000
    for identifiers, refused in ((Identifiers(), by_names), (Identifiers(own=False, issuer_key=False), True)):
        same = made(root, "cluster.local", identifiers=identifiers).certificate
        findings = lint(asked(root=[root.certificate], server=[same])).findings
        errors = [each.message for each in findings if each.severity is Severity.ERROR]
        assert bool(errors) is refused
        assert all("its subject is the name of its issuer" in each for each in errors)
        assert all(("before 4.0" in each) is identifiers.issuer_key for each in errors)


def test_a_certificate_has_the_name_of_the_file_that_holds_no_other(ca: Identity, server: x509.Certificate) -> None:
    shown = page(**{"a-chain": [ca.certificate, server], "z-root": [ca.certificate], "z-server": [server]})
    assert "\n  z-root: " in shown and "\n    z-server: " in shown


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(hours=5), "within a day"),
        (timedelta(days=1, hours=5), "in 1 day"),
        (timedelta(days=9, hours=5), "in 9 days"),
        (-timedelta(hours=5), "ended less than a day ago"),
        (-timedelta(days=1, hours=5), "ended 1 day ago"),
        (-timedelta(days=9, hours=5), "ended 9 days ago"),
    ],
)
def test_whole_days(ca: Identity, left: timedelta, words: str) -> None:
    start = NOW - timedelta(days=29)
    ends = leaf("api.acme.com", ca, SERVER, start=start, life=NOW + left - start).certificate
    assert f"  {words}  server" in page(root=[ca.certificate], server=[ends])


def departures(certificate: x509.Certificate) -> dict[str, Departure]:
    return {each.code: each for each in Rfc5280().departures(certificate)}


def test_what_signed_itself_names_no_other_key(ca: Identity) -> None:
    code = "pkix.authority_key_identifier_extension_absent"
    plain = made(ca, identifiers=Identifiers(issuer_key=False))
    assert code in departures(plain.certificate)
    own = crypto.X509.from_cryptography(plain.certificate)
    own.set_issuer(own.get_subject())
    own.sign(crypto.PKey.from_cryptography_key(plain.key), "sha256")
    assert code not in departures(own.to_cryptography())


def version_1(subject: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None = None) -> crypto.X509:
    made = crypto.X509()
    made.set_version(0)
    made.set_serial_number(5)
    made.get_subject().CN = subject
    made.set_issuer(crypto.X509.from_cryptography(issuer).get_subject() if issuer else made.get_subject())
    made.gmtime_adj_notBefore(0)
    made.gmtime_adj_notAfter(86_400)
    made.set_pubkey(crypto.PKey.from_cryptography_key(key))
    return made


def test_version_1_is_said_of_a_root_and_has_no_extensions() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = version_1("root", key)
    made.sign(crypto.PKey.from_cryptography_key(key), "sha256")
    found = departures(made.to_cryptography())
    assert set(found) == {"pkix.certificate_version_is_not_v3"}
    assert "version 1" in found["pkix.certificate_version_is_not_v3"].message


def test_version_1_of_a_leaf_is_refused_by_nobody() -> None:
    ca = authority(start=datetime.now(UTC) - timedelta(days=2))
    made = version_1("leaf", ec.generate_private_key(ec.SECP256R1()), ca.certificate)
    made.sign(crypto.PKey.from_cryptography_key(ca.key), "sha256")
    assert departures(made.to_cryptography()) == {}
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(ca.certificate))
    store.set_flags(crypto.X509StoreFlags.X509_STRICT)
    crypto.X509StoreContext(store, made).verify_certificate()


@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_a_country_of_three_letters_is_a_note(ca: Identity) -> None:
    country = x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "USA", _validate=False)
    subject = x509.Name([country, x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
    found = departures(made(ca, subject=subject).certificate)
    assert found["itu.invalid_asn1_syntax"].severity is Severity.NOTE


def test_a_spiffe_id_is_a_uri(ca: Identity) -> None:
    for uri, wrong in (("spiffe://cluster.local/ns/apic/sa/default", False), ("no scheme", True)):
        names = (x509.UniformResourceIdentifier(uri),)
        assert ("pkix.invalid_uri_syntax" in departures(made(ca, names=names).certificate)) is wrong
