"""Each rule of API Connect's files finds its broken export, at its place, and none finds a documented installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.catalogue.registry import catalogue
from harness.decode.exported_certificates import collect
from harness.model.finding import Finding, Severity
from harness.model.vocabulary import Posture
from harness.probes import manifests
from harness.products.apic.manifests import CONFIGURE, KEYS
from harness.products.apic.rules import RULES, lint
from harness.products.rules import Question
from harness.tests.exports import NOW, question

EXPORTS = paths.FIXTURES / "exports"
BROKEN = sorted((EXPORTS / "broken").glob("*.yaml"))
SOUND = sorted(path for path in (EXPORTS / "sound").iterdir() if path.is_dir())
# Broken by certificates, which test_file_certificates makes; PKI-15 and CFG-15 forbid nothing.
ELSEWHERE = {"PKI-11", "PKI-12", "PKI-13", "PKI-15", "PKI-18", "PKI-16", "PKI-19"}
MILD = {"CFG-12", "CFG-15", "CFG-18", "PKI-1", "PKI-4", "PKI-7"}

PORTAL = """\
apiVersion: portal.apiconnect.ibm.com/v1beta1
kind: PortalCluster
metadata: {name: portal, namespace: apic}
spec:
  version: 10.0.8.1
  mgmtPlatformEndpointCASecret: {secretName: ingress-ca}
"""
GATEWAY = PORTAL.replace("portal.apiconnect", "gateway.apiconnect").replace("PortalCluster", "GatewayCluster")
ANALYTICS = PORTAL.replace("portal.apiconnect", "analytics.apiconnect").replace("PortalCluster", "AnalyticsCluster")
MANAGEMENT = """\
apiVersion: management.apiconnect.ibm.com/v1beta1
kind: ManagementCluster
metadata: {name: management, namespace: apic}
spec:
  platformAPIEndpoint: {hosts: [{name: api.apic.acme.com}]}
---
"""
URL = "  jwksUrl: https://api.apic.acme.com/api/cloud/oauth2/certs\n"


def judged(*files: Path) -> list[Finding]:
    found = manifests.load(map(str, files))
    assert found.unread == []
    return lint(Question(found, collect(found), NOW)).findings


def findings(text: str, requirement: str, **options: str) -> list[Finding]:
    return [found for found in lint(question(text, **options)).findings if found.requirement == requirement]


@pytest.mark.parametrize("folder", SOUND, ids=lambda path: path.name)
def test_a_documented_installation_has_no_error(folder: Path) -> None:
    assert [found for found in judged(folder) if found.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("file", BROKEN, ids=lambda path: path.stem)
def test_a_broken_export_is_found(file: Path) -> None:
    found = [each for each in judged(file) if each.requirement == file.stem]
    assert len(found) == 1
    assert found[0].severity is (Severity.WARNING if file.stem in MILD else Severity.ERROR)
    field = found[0].path.rpartition(".")[2]
    assert field in file.read_text("utf-8").splitlines()[found[0].line - 1]
    assert found[0].message and found[0].fix


def test_every_rule_has_a_broken_export() -> None:
    assert {rule.requirement for rule in RULES} == {file.stem for file in BROKEN} | ELSEWHERE


@pytest.mark.parametrize("file", BROKEN, ids=lambda path: path.stem)
def test_it_breaks_one_rule(file: Path) -> None:
    also = {"CFG-16": {"CFG-1"}}.get(file.stem, set())  # disabling JWT without mTLS leaves both off
    serious = {found.requirement for found in judged(file) if found.severity is not Severity.NOTE}
    assert serious == {file.stem} | also


def test_whatever_is_not_checked_says_why() -> None:
    judgement = lint(question(PORTAL))
    assert judgement.checked["CFG-1"] == 1
    assert judgement.not_checked["CFG-10"] == "no subsystem in the files has jwksUrl set to an external address"
    assert judgement.checked.keys() | judgement.not_checked.keys() == {rule.requirement for rule in RULES} | {"PKI-17"}
    assert not judgement.checked.keys() & judgement.not_checked.keys()


@pytest.mark.parametrize(
    ("url", "severity"),
    [
        ("https://api.apic.acme.com/api/cloud/oauth2/certs", None),
        ("https://API.apic.acme.com:443/api/cloud/oauth2/certs", None),
        ("https://api.$STACK_HOST/api/cloud/oauth2/certs", None),
        ("$JWKS_URL", None),
        ("<JWKS URL>", None),
        ("https://api.apic.acme.com/api/cloud/oauth2/certs/", Severity.ERROR),
        ("https://api.apic.acme.com/cloud/oauth2/certs", Severity.ERROR),
        ("https://api.apic.acme.com", Severity.ERROR),
        ("http://api.apic.acme.com/api/cloud/oauth2/certs", Severity.ERROR),
        ("https://manager.apic.acme.com/api/cloud/oauth2/certs", Severity.WARNING),
        ("api.apic.acme.com/api/cloud/oauth2/certs", Severity.WARNING),
    ],
)
def test_the_url_of_the_keys(url: str, severity: Severity | None) -> None:
    found = findings(f"{MANAGEMENT}{PORTAL}  jwksUrl: {url!r}\n", "CFG-10")
    assert [each.severity for each in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("release", "found"),
    [("10.0.5.2", 1), ("10.0.5.3", 0), ("10.0.5", 0), ("10.0.8", 0), ("10.0.1.12", 1), ("12.1", 0)],
)
def test_releases_that_know_jwt(release: str, found: int) -> None:
    assert len(findings(PORTAL + URL, "CFG-8", release=release)) == found


def test_ingestion_needs_a_later_release_only_without_mtls() -> None:
    assert not findings(ANALYTICS + URL, "CFG-8", release="10.0.5.3")
    assert findings(ANALYTICS + URL + "  mtlsValidateClient: false\n", "CFG-8", release="10.0.5.3")
    assert not findings(ANALYTICS + URL + "  mtlsValidateClient: false\n", "CFG-8", release="10.0.5.4")


def test_a_gateway_without_either_is_the_documented_default() -> None:
    found = findings(GATEWAY, "CFG-1")
    assert [each.severity for each in found] == [Severity.NOTE]
    assert not findings(GATEWAY + "  validateApimClient: true\n", "CFG-1")


def test_a_top_level_resource_may_leave_the_url_to_the_operator() -> None:
    top = "apiVersion: apiconnect.ibm.com/v1beta1\nkind: APIConnectCluster\nmetadata: {name: apic, namespace: apic}\n"
    stated = f"{top}spec: {{portal: {{mtlsValidateClient: false}}}}\n"
    made = PORTAL.replace("name: portal,", "name: apic-ptl,") + "  mtlsValidateClient: false\n"
    assert [each.severity for each in findings(stated, "CFG-1")] == [Severity.WARNING]
    assert not findings(f"{stated}---\n{made}{URL}", "CFG-1")
    assert [each.severity for each in findings(f"{stated}---\n{made}", "CFG-1")] == [Severity.ERROR]
    explicit = stated.replace("false}", "false, jwksUrl: ''}")
    assert [each.severity for each in findings(explicit, "CFG-1")] == [Severity.ERROR]


def test_an_edited_generated_resource_is_found_by_who_edited_it() -> None:
    made = PORTAL.replace(
        "metadata: {name: portal,",
        "metadata: {name: apic-ptl, managedFields: [{manager: MANAGER, fieldsV1: {'f:spec': {'f:jwksUrl': {}}}}],"
        " ownerReferences: [{kind: APIConnectCluster, name: apic}],",
    )
    top = "apiVersion: apiconnect.ibm.com/v1beta1\nkind: APIConnectCluster\nmetadata: {name: apic, namespace: apic}\n"
    top += "spec: {}\n"
    assert findings(f"{top}---\n{made.replace('MANAGER', 'kubectl-edit')}{URL}", "CFG-14")
    assert not findings(f"{top}---\n{made.replace('MANAGER', 'ibm-apiconnect')}{URL}", "CFG-14")


@pytest.mark.parametrize(
    ("top", "made", "found"),
    [
        ("jwksUrl: ''", "", 0),
        ("jwksUrl: ''", URL, 1),
        ("mtlsValidateClient: true", "", 0),
        ("mtlsValidateClient: false", "", 1),
        ("mtlsValidateClient: true", "  mtlsValidateClient: true\n", 0),
        ("mtlsValidateClient: true", "  mtlsValidateClient: false\n", 1),
    ],
)
def test_what_the_operator_made_of_a_section(top: str, made: str, found: int) -> None:
    stated = (
        "apiVersion: apiconnect.ibm.com/v1beta1\nkind: APIConnectCluster\nmetadata: {name: apic, namespace: apic}\n"
    )
    generated = PORTAL.replace("name: portal,", "name: apic-ptl,") + made
    assert len(findings(f"{stated}spec: {{portal: {{{top}}}}}\n---\n{generated}", "CFG-14")) == found


def test_a_ca_without_a_namespace_is_no_copy() -> None:
    text = (EXPORTS / "broken" / "PKI-14.yaml").read_text("utf-8")
    assert findings(text, "PKI-14") and not findings(text.replace(", namespace: portal", ""), "PKI-14")


def test_a_v5c_gateway_of_another_deployment_is_a_warning() -> None:
    loose = ANALYTICS + URL + "  mtlsValidateClient: false\n"
    gateway = GATEWAY.replace("namespace: apic", "namespace: other") + "  apicGatewayServiceV5CompatibilityMode: true\n"
    other = MANAGEMENT.replace("namespace: apic", "namespace: other")
    assert [each.severity for each in findings(f"{MANAGEMENT}{other}{loose}---\n{gateway}", "CFG-6")] == [
        Severity.WARNING
    ]
    assert [each.severity for each in findings(f"{MANAGEMENT}{loose}---\n{gateway}", "CFG-6")] == [Severity.ERROR]


def test_a_v5c_gateway_registered_to_send_a_token() -> None:
    text = "gateway_service_type: datapower-gateway\ncommunication_to_analytics_with_jwt: true\n"
    assert [each.severity for each in findings(text, "CFG-6")] == [Severity.WARNING]


def test_an_unknown_release_is_judged_by_the_newest_profile_and_says_so() -> None:
    judgement = lint(question(PORTAL, release="13.0"))
    assert judgement.heading.startswith("API Connect 13.0 (from --release) on Kubernetes")
    assert judgement.remarks == ["release 13.0 is not known; judged as 12.1, the newest that is."]
    assert lint(question(PORTAL)).remarks == []


def test_twenty_years_on_virtual_appliances_of_10_0_8() -> None:
    text = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: ingress-ca}\n"
    text += "spec: {duration: 175200h, isCA: true, issuerRef: {name: selfsigning-issuer}}\n"
    assert not findings(text, "PKI-1", release="10.0.8", platform="vmware")
    assert findings(text, "PKI-1", release="10.0.5", platform="vmware")
    assert findings(text, "PKI-1", release="10.0.8", platform="kubernetes")


@pytest.mark.parametrize("posture", list(Posture))
@pytest.mark.parametrize("reached", list(KEYS.endpoints))
def test_what_the_reference_is_configured_with(posture: Posture, reached: str) -> None:
    """The reference subsystems start on each of these, but for portal and analytics with neither mTLS nor JWT."""
    keys = KEYS.endpoints[reached]
    servers = [
        server for server in catalogue().servers.values() if server.product == "apic" and server.kind in CONFIGURE
    ]
    assert servers
    for server in servers:
        text = CONFIGURE[server.kind](server, posture, keys, 443, {})
        found = lint(question(f"{KEYS.configure(keys)}---\n{text}", release="10.0.8")).findings
        refused = posture is Posture.TLS_ONLY and server.kind != "GatewayCluster"
        assert {each.requirement for each in found if each.severity is Severity.ERROR} == (
            {"CFG-1"} if refused else set()
        )
