"""Published installations in our own words, with the facts that once made a false alarm."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from harness.model.finding import Severity
from harness.products.apic.rules import lint
from harness.tests.exports import authority, question

# Helper files of the operator's archive (10.0.8.6, 12.1.0.1): customised certificates, all under ingress-issuer.
INSIDE = """
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{name: {name}}}
spec:
  secretName: {name}
  commonName: {name}
  issuerRef: {{name: {issuer}}}
  dnsNames: [{dns}]
  usages: [{use}, digital signature, key encipherment]
  duration: 17520h
"""
PORTAL_DNS = "portal-server, portal-db, localhost, '*.portal'"
# The same archive has two files that ask for one client, of which one is applied.
CLIENT = """
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{name: portal-admin-client}}
spec: {{secretName: portal-admin-client, commonName: portal-admin-client, issuerRef: {{name: ingress-issuer}}, {more}
  usages: [client auth], duration: 17520h}}
"""
PORTAL = """
apiVersion: portal.apiconnect.ibm.com/v1beta1
kind: PortalCluster
metadata: {name: portal}
spec: {version: 10.0.8.6, adminClientSubjectDN: 'CN=portal-admin-client,O=cert-manager'}
"""
ORGANIZATION = "subject: {organizations: [cert-manager]},"


def found(*documents: str) -> set[tuple[str, Severity]]:
    judgement = lint(question("\n---\n".join(documents)))
    return {(item.requirement, item.severity) for item in judgement.findings if item.severity is not Severity.NOTE}


def inside(name: str, issuer: str, use: str) -> str:
    return INSIDE.format(name=name, issuer=issuer, dns=PORTAL_DNS, use=use)


def test_a_whole_subsystem_under_ingress_issuer_is_customised() -> None:
    documents = [
        inside("portal-client", "ingress-issuer", "client auth"),
        inside("portal-server", "ingress-issuer", "server auth"),
    ]
    assert ("PKI-2", Severity.ERROR) not in found(*documents)
    assert ("PKI-2", Severity.WARNING) in found(*documents)


@pytest.mark.parametrize("issuer", ["portal-ca", "analytics-ca"])
def test_one_end_alone_under_another_ca_is_an_error(issuer: str) -> None:
    documents = [
        inside("portal-client", issuer, "client auth"),
        inside("portal-server", "ingress-issuer", "server auth"),
    ]
    assert ("PKI-2", Severity.ERROR) in found(*documents)


def test_of_alternatives_one_must_fit() -> None:
    fits, other = CLIENT.format(more=ORGANIZATION), CLIENT.format(more="")
    assert ("PKI-6", Severity.ERROR) not in found(PORTAL, fits, other)
    assert ("PKI-6", Severity.WARNING) in found(PORTAL, fits, other)
    assert ("PKI-6", Severity.ERROR) in found(PORTAL, other)


def test_of_alternatives_one_must_have_the_names() -> None:
    whole = inside("portal-server", "portal-ca", "server auth")
    lacking = whole.replace("portal-db, ", "")
    assert ("PKI-10", Severity.ERROR) not in found(PORTAL, whole, lacking)
    assert ("PKI-10", Severity.WARNING) in found(PORTAL, whole, lacking)
    assert ("PKI-10", Severity.ERROR) in found(PORTAL, lacking)


def test_a_name_of_no_string_type_is_said_to_be_unreadable() -> None:
    der = authority().certificate.public_bytes(Encoding.DER)
    hostile = der.replace(b"\x0c\x0aingress-ca", b"\x08\x0aingress-ca")
    assert hostile != der
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(hostile) + b"-----END CERTIFICATE-----\n"
    data = base64.b64encode(pem).decode()
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: ingress-ca}}\ndata: {{tls.crt: {data}}}"
    assert "cannot be read" in question(secret).certificates.unread[0].message


def test_the_issuer_that_the_operator_makes_is_ingress_issuer() -> None:
    asked = CLIENT.format(more=ORGANIZATION).replace("name: ingress-issuer", "name: apic-ingress-issuer")
    judgement = lint(question(f"{PORTAL}\n---\n{asked}"))
    assert judgement.findings == [] and judgement.checked["PKI-2"] == 1


def test_an_issuer_that_is_a_placeholder_is_undecided() -> None:
    judgement = lint(question(inside("portal-client", "'${INSTANCE}-portal-ca'", "client auth")))
    assert judgement.findings == [] and "PKI-2" in judgement.undecided
