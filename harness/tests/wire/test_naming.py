"""Subjects that nearly are the client's, for names of every shape."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509 import NameAttribute, NameOID
from cryptography.x509.name import _ASN1Type as StringType

from harness.pki.deployment import Pki
from harness.pki.issue import Identity, Profile, issue
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.certificates.naming import identifying_attribute, other_branch, own_branch
from harness.stimuli.partial import ClientCredential, PartialPki, StimulusUnavailable
from harness.tests.builders import SECOND

SAME = {"id-case", "id-reissued", SECOND}  # the registered name, or no name of this client's
NEAR = sorted(name for name in CERTIFICATE_CLASSES if name.startswith("id-") and name not in SAME)
SHAPES = {
    "two parts": "CN=app,O=Example",
    "six parts": "CN=app,OU=Payments,O=Example GmbH,L=Berlin,ST=Berlin,C=DE",
    "domain components": "CN=app,OU=Services,DC=example,DC=com",
    "directory order": "C=DE,O=Example,CN=app",
    "mail address": "1.2.840.113549.1.9.1=app@example.test,O=Example,C=DE",
    "serial number": "2.5.4.5=HRB 4711,O=Example,C=DE",
    "user id": "UID=app,OU=Services,O=Example",
    "several in one": "CN=app+UID=4711,O=Example",
    "no letters of Latin only": "CN=\u65e5\u672c,O=Example",
    "several common names": "CN=app,CN=Users,DC=example,DC=test",
}
# What has no meaning for a name of one part.
ALONE = {"id-missing-rdn", "id-rdn-order"}


def below(pki: Pki, subject: x509.Name) -> tuple[PartialPki, x509.Name]:
    authority = issue(pki.ca_profile("Example CA"))
    identity = issue(Profile(subject, pki.now, pki.ca_profile("x").not_after), authority)
    given = PartialPki({"app": ClientCredential("app", identity, authority)})
    return given, identity.certificate.subject


def made(pki: PartialPki, name: str) -> Identity:
    identity = CERTIFICATE_CLASSES[name].build(pki, "app")
    assert identity is not None
    return identity


@pytest.mark.parametrize("shape", SHAPES)
def test_a_name_of_any_shape_has_its_near_misses(pki: Pki, shape: str) -> None:
    given, own = below(pki, x509.Name.from_rfc4514_string(SHAPES[shape]))
    unmade = set()
    for name in NEAR:
        try:
            subject = made(given, name).certificate.subject
        except StimulusUnavailable:
            unmade.add(name)
        else:
            assert subject != own, name
    beyond = {"id-unicode", "id-san-only"} if "\u65e5" in SHAPES[shape] else set()
    assert unmade == beyond


def test_a_name_of_one_part(pki: Pki) -> None:
    given, own = below(pki, x509.Name.from_rfc4514_string("CN=app"))
    for name in NEAR:
        if name in ALONE:
            with pytest.raises(StimulusUnavailable, match="one part only"):
                made(given, name)
        else:
            assert made(given, name).certificate.subject != own


def test_an_empty_name_has_no_near_misses(pki: Pki) -> None:
    given, _ = below(pki, x509.Name([]))
    for name in {*NEAR, "nc-dn", "nc-dn-inside"} - {"id-empty-subject"}:
        with pytest.raises(StimulusUnavailable, match="no attribute that identifies|subject is empty"):
            made(given, name)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("id-unregistered-dn", "CN=unregistered-client,O=cert-manager"),
        ("id-other-client", "CN=app-2,O=cert-manager"),
        ("id-prefixed", "CN=another-app,O=cert-manager"),
        ("id-cn-only-match", "CN=app,O=another"),
        ("id-missing-rdn", "CN=app"),
        ("id-extra-rdn", "CN=app,OU=another,O=cert-manager"),
        ("id-rdn-order", "O=cert-manager,CN=app"),
        ("id-multiple-cn", "CN=app,CN=unregistered-client,O=cert-manager"),
        ("id-cn-injection", "CN=app\\,O\\=cert-manager"),
        ("id-oid-in-value", "UID=app,O=cert-manager"),
        ("id-case", "CN=APP,O=cert-manager"),
    ],
)
def test_a_name_as_cert_manager_writes_it(pki: Pki, name: str, subject: str) -> None:
    given, _ = below(pki, x509.Name.from_rfc4514_string("CN=app,O=cert-manager"))
    assert made(given, name).certificate.subject.rfc4514_string() == subject.replace("\\=", "=")


def test_what_tells_a_client_keeps_its_type_of_string(pki: Pki) -> None:
    printable = StringType.PrintableString
    parts = [NameAttribute(NameOID.ORGANIZATION_NAME, "Example", printable)]
    parts.append(NameAttribute(NameOID.COMMON_NAME, "app", printable))
    given, _ = below(pki, x509.Name(parts))
    for name, kind in (("id-other-client", printable), ("id-unicode", StringType.UTF8String)):
        subject = made(given, name).certificate.subject
        assert [attribute._type for attribute in subject] == [printable, kind]
    copy = made(given, "v-expired-leaf").certificate.subject
    assert [attribute._type for attribute in copy] == [printable, printable]


def test_a_mail_address_stays_one(pki: Pki) -> None:
    given, _ = below(pki, x509.Name.from_rfc4514_string("1.2.840.113549.1.9.1=app@example.test,O=Example"))
    for name, value in (("id-other-client", "app-2@example.test"), ("id-unregistered-dn", "unregistered-client@")):
        assert str(identifying_attribute(made(given, name).certificate.subject).value).startswith(value)


def test_the_branch_of_a_name_and_another() -> None:
    name = x509.Name.from_rfc4514_string("CN=app,OU=Payments,O=another,C=DE")
    assert own_branch(name).rfc4514_string() == "OU=Payments,O=another,C=DE"
    assert own_branch(x509.Name.from_rfc4514_string("CN=app")).rfc4514_string() == "CN=app"
    assert other_branch(x509.Name.from_rfc4514_string("CN=app,O=another")).rfc4514_string() == "O=another-2"
    assert other_branch(name).rfc4514_string() == "O=another"


def test_a_name_too_long_to_be_written_into_one_is_said_so(pki: Pki) -> None:
    given, _ = below(pki, x509.Name.from_rfc4514_string("CN=app,OU=" + "x" * 60 + ",O=Example"))
    with pytest.raises(StimulusUnavailable, match="longer than 64"):
        made(given, "id-cn-injection")
