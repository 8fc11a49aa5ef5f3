"""The developer portal of 12.1: its clients by their subjects, mTLS that has no switch, names that are its own."""

from __future__ import annotations

import jsonpatch
import pytest
import yaml

from harness.errors import UsageError
from harness.model.finding import Judgement, Severity
from harness.products.apic.operations.files import renew, terminate
from harness.products.apic.rules import certificates, lint
from harness.tests.cert_manager import Object
from harness.tests.exports import CLIENT, SERVER, authority, leaf, question, secret
from harness.writers.runbook import written

ADMIN, WEBMETHODS = "CN=devportal-admin-client,O=cert-manager", "CN=wmapigateway-devportal-client,O=cert-manager"
BOTH = f"{ADMIN}\n{WEBMETHODS}\n"
HOST = "api.devportal.acme.com"


def portal(release: str = "12.1.0.1", **settings: object) -> Object:
    hosts = [{"name": HOST, "secretName": "devportal-admin"}]
    endpoint = {"annotations": {"cert-manager.io/issuer": "ingress-issuer"}, "hosts": hosts}
    return {
        "apiVersion": "devportal.apiconnect.ibm.com/v1beta1",
        "kind": "DevPortalCluster",
        "metadata": {"name": "devportal", "namespace": "apic"},
        "spec": {"version": release, "devportalAdminEndpoint": endpoint, "adminClientSubjectDN": BOTH, **settings},
    }


def management(release: str = "12.1.0.1") -> Object:
    return {
        "apiVersion": "management.apiconnect.ibm.com/v1beta1",
        "kind": "ManagementCluster",
        "metadata": {"name": "management", "namespace": "apic"},
        "spec": {"version": release, "platformAPIEndpoint": {"hosts": [{"name": "api.acme.com", "secretName": "x"}]}},
    }


def requested(organization: str = "cert-manager") -> Object:
    """cert-manager's Certificate for management's client."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "devportal-admin-client", "namespace": "apic"},
        "spec": {
            "secretName": "devportal-admin-client",
            "commonName": "devportal-admin-client",
            "subject": {"organizations": [organization]},
            "usages": ["client auth"],
            "duration": "17520h",
            "issuerRef": {"name": "ingress-issuer"},
        },
    }


def judged(*objects: Object, release: str = "") -> Judgement:
    return lint(question(yaml.safe_dump_all(objects), release=release))


def of(judgement: Judgement, requirement: str) -> list[Severity]:
    return [each.severity for each in judgement.findings if each.requirement == requirement]


SUBJECTS = {
    "both": (BOTH, []),
    "one": (ADMIN, []),
    "spaces, no end of line": (f"{WEBMETHODS}\n\n  CN=devportal-admin-client, O=cert-manager", []),
    "another organization in one": (f"{WEBMETHODS}\nCN=devportal-admin-client,O=acme", [Severity.ERROR]),
    "no organization": ("CN=devportal-admin-client", [Severity.WARNING]),
    "others only": (f"{WEBMETHODS}\nCN=portal-admin-client,O=cert-manager", [Severity.ERROR]),
    "one other": ("CN=portal-admin-client,O=cert-manager", [Severity.ERROR]),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_one_line_is_the_subject_of_what_management_presents(name: str) -> None:
    text, severities = SUBJECTS[name]
    judgement = judged(portal(adminClientSubjectDN=text), requested())
    assert of(judgement, "PKI-6") == severities
    assert judgement.checked["PKI-6"] == 1


@pytest.mark.parametrize("text", [text for text, severities in SUBJECTS.values() if severities])
def test_the_patch_adds_the_subject_and_keeps_the_others(text: str) -> None:
    (found,) = [each for each in judged(portal(adminClientSubjectDN=text), requested()).findings if each.patch]
    assert found.patch is not None
    before = portal(adminClientSubjectDN=text)
    after = jsonpatch.apply_patch(before, found.patch.text())
    lines = after["spec"]["adminClientSubjectDN"].splitlines()
    assert ADMIN in lines and (WEBMETHODS in lines) == (WEBMETHODS in text)
    assert of(judged(after, requested()), "PKI-6") == []


def test_a_subject_that_cannot_be_read_is_undecided() -> None:
    assert "PKI-6" in judged(portal(adminClientSubjectDN=f"{ADMIN}\nnothing"), requested()).undecided


@pytest.mark.parametrize(("other", "severities"), [(False, []), (True, [Severity.ERROR])])
def test_client_and_server_are_under_one_authority(other: bool, severities: list[Severity]) -> None:
    ca, another = authority(), authority("another-ca")
    signs = another if other else ca
    objects = [
        secret("ingress-ca", ca, ca),
        secret("another", another, another, issuer=None),
        secret("devportal-admin-client", leaf("devportal-admin-client", ca, CLIENT), ca),
        secret("devportal-admin", leaf("devportal-admin", signs, SERVER, hosts=[HOST]), signs),
    ]
    assert of(judged(portal(), *objects), "PKI-6") == severities


@pytest.mark.parametrize(("termination", "severities"), [("passthrough", []), ("reencrypt", [Severity.ERROR])])
def test_a_route_passes_its_tls_through(termination: str, severities: list[Severity]) -> None:
    route: Object = {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": {"name": "devportal-admin", "namespace": "apic"},
        "spec": {"host": HOST, "tls": {"termination": termination}},
    }
    judgement = judged(portal(), route)
    assert of(judgement, "FLW-3") == severities
    assert judgement.checked["FLW-3"] == 1
    assert not any("mtlsValidateClient" in f"{each.message} {each.fix}" for each in judgement.findings)


def test_a_switch_that_its_definition_does_not_have_is_undecided() -> None:
    judgement = judged(portal(mtlsValidateClient=False, jwksUrl="https://api.acme.com/x"))
    switch, keys = judgement.undecided["CFG-2"]
    assert "mtlsValidateClient" in switch and "jwksUrl" in keys
    assert judgement.findings == []


def test_its_names_are_free_in_a_release_without_it() -> None:
    objects = [management("10.0.8.1"), {**requested(), "spec": {**_spec(), "duration": "24h"}}]
    assert judged(*objects).findings == []
    assert of(judged(*objects, release="12.1"), "PKI-1") == [Severity.WARNING]


def _spec() -> Object:
    spec = requested()["spec"]
    assert isinstance(spec, dict)
    return spec


def test_its_certificates_have_a_purpose() -> None:
    ca = authority()
    objects = [secret("ingress-ca", ca, ca), secret("devportal-web", leaf("devportal", ca, SERVER, hosts=["d"]), ca)]
    page = certificates(question(yaml.safe_dump_all([portal(), *objects])))
    assert "the developer portal's sites" in page


def test_the_runbook_says_what_is_not_documented() -> None:
    text = written(renew(question(yaml.safe_dump_all([management(), portal(), requested()])), "ingress-ca"), "text")
    assert "devportal-admin-client" in text and "devportal-admin:" in text
    assert "developer-portal devportal: which of its pods" in text


def test_no_balancer_may_terminate_its_tls() -> None:
    asked = question(yaml.safe_dump_all([management(), portal(), cms_portal()]))
    with pytest.raises(UsageError, match="management-to-developer-portal cannot be terminated"):
        terminate(asked, ["management-to-developer-portal"])
    sheet = written(terminate(asked, ["management-to-portal"]).sheet, "text")
    through = sheet[sheet.index("Must pass TLS through") : sheet.index("To the platform REST API")]
    assert f"management-to-developer-portal: {HOST}:443" in through


def cms_portal() -> Object:
    hosts = {"hosts": [{"name": "api.portal.acme.com", "secretName": "portal-admin"}]}
    return {
        "apiVersion": "portal.apiconnect.ibm.com/v1beta1",
        "kind": "PortalCluster",
        "metadata": {"name": "portal", "namespace": "apic"},
        "spec": {"version": "12.1.0.1", "portalAdminEndpoint": hosts},
    }


def test_subsystems_that_no_document_describes_are_named() -> None:
    other: Object = {
        "apiVersion": "wmapigateway.apiconnect.ibm.com/v1beta1",
        "kind": "WMAPIGatewayCluster",
        "metadata": {"name": "wm", "namespace": "apic"},
        "spec": {"version": "12.1.0.1", "mgmtClientSubjectDN": "CN=x"},
    }
    remarks = judged(portal(), other).remarks
    assert [each for each in remarks if "WMAPIGatewayCluster" in each and "DevPortalCluster" not in each]
    assert not any("no rule" in each for each in judged(portal()).remarks)
