"""The rules on certificates, on exports with certificates that are made for them: sound, and with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509

from harness.model.finding import RANK, Finding, Severity
from harness.pki.issue import Identity, Profile, issue
from harness.pki.signatures import key_id
from harness.products.apic.rules import certificates, lint
from harness.products.apic.rules.certificates import BY_NAME, ROWS, TABLES
from harness.products.apic.rules.names import covers
from harness.products.apic.rules.subjects import difference, parse
from harness.tests.exports import (
    CLIENT,
    NOW,
    SERVER,
    TEN_YEARS,
    Deployment,
    authority,
    leaf,
    name,
    question,
    resource,
    secret,
)

Change = Callable[[Deployment], None]


def key(identity: Identity) -> str:
    return (key_id(identity.certificate) or b"").hex()[:8]


def judged(deployment: Deployment) -> list[Finding]:
    return lint(question(deployment.text())).findings


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


def test_a_sound_deployment(deployment: Deployment) -> None:
    judgement = lint(question(deployment.text()))
    assert judgement.findings == []
    assert {"PKI-5", "PKI-6", "PKI-11", "PKI-16", "PKI-19"} <= judgement.checked.keys()


def _renewed_ca(it: Deployment) -> None:
    new = authority()
    it.objects["ingress-ca"] = secret("ingress-ca", new, new, issuer="selfsigning-issuer")


def _other_key_in_its_own_secret(it: Deployment) -> None:
    it.objects["portal-admin"] = secret("portal-admin", leaf("portal-admin", it.ca, SERVER), authority())


def _expired(it: Deployment) -> None:
    old = leaf("portal-admin", it.ca, SERVER, start=NOW - timedelta(days=29), life=timedelta(days=3))
    it.objects["portal-admin"] = secret("portal-admin", old, it.ca)


def _no_ca(it: Deployment) -> None:
    it.ca = authority(ca=False)
    it.objects["ingress-ca"] = secret("ingress-ca", it.ca, it.ca, issuer="selfsigning-issuer")


def _no_annotation(it: Deployment) -> None:
    it.objects["portal-admin"] = secret("portal-admin", leaf("portal-admin", it.ca, SERVER), it.ca, issuer=None)


def _wrong_use(it: Deployment) -> None:
    it.objects["portal-admin-client"] = secret("portal-admin-client", leaf("portal-admin-client", it.ca, SERVER), it.ca)


def _portals_ca(it: Deployment) -> None:
    ca = authority("portal-ca")
    it.objects["portal-ca"] = secret("portal-ca", ca, ca, issuer="selfsigning-issuer")
    it.objects["portal-admin"] = secret("portal-admin", leaf("portal-admin", ca, SERVER), ca)


def _no_organization(it: Deployment) -> None:
    client = leaf("portal-admin-client", it.ca, CLIENT, organization="")
    it.objects["portal-admin-client"] = secret("portal-admin-client", client, it.ca)


def _other_copy(it: Deployment) -> None:
    ca = authority()
    it.objects["copy"] = secret("ingress-ca", ca, ca, namespace="portal")


def _short(it: Deployment) -> None:
    client = leaf("portal-admin-client", it.ca, CLIENT, life=timedelta(days=90))
    it.objects["portal-admin-client"] = secret("portal-admin-client", client, it.ca)


def _missing_host(it: Deployment) -> None:
    it.objects["management"] = resource(
        "ManagementCluster",
        "management",
        multiSiteHA={
            "mode": "active",
            "replicationEndpoint": {"hosts": [{"name": "rep.dc1.acme.com", "secretName": "mgmt-replication-server"}]},
        },
    )
    server = leaf("rep", it.ca, SERVER, hosts=["rep.dc2.acme.com"])
    it.objects["mgmt-replication-server"] = secret("mgmt-replication-server", server, it.ca)


@pytest.mark.parametrize(
    ("change", "requirement", "severity", "words"),
    [
        (_renewed_ca, "PKI-11", Severity.ERROR, "is not signed with its present key (it names the key"),
        (_other_key_in_its_own_secret, "PKI-16", Severity.ERROR, "OpenSSL refuses portal-admin"),
        (_expired, "PKI-16", Severity.ERROR, "expired"),
        (_no_ca, "PKI-16", Severity.ERROR, "is not a CA's certificate"),
        (_no_annotation, "PKI-19", Severity.WARNING, "is missing"),
        (_wrong_use, "PKI-3", Severity.ERROR, "client's certificate"),
        (_portals_ca, "PKI-2", Severity.ERROR, "is signed by portal-ca"),
        (_portals_ca, "PKI-6", Severity.ERROR, "signed by two CAs"),
        (_no_organization, "PKI-6", Severity.ERROR, "the certificate has no O=cert-manager"),
        (_other_copy, "PKI-14", Severity.ERROR, "differs from the one in"),
        (_short, "PKI-1", Severity.WARNING, "90 days"),
        (_missing_host, "PKI-9", Severity.ERROR, "rep.dc1.acme.com"),
    ],
)
def test_one_thing_wrong(
    deployment: Deployment, change: Change, requirement: str, severity: Severity, words: str
) -> None:
    change(deployment)
    found = [each for each in judged(deployment) if each.requirement == requirement]
    assert min((each.severity for each in found), key=RANK.__getitem__) is severity
    assert any(words in each.message for each in found)
    assert all("PRIVATE" not in each.message + each.fix for each in found)


def test_an_absent_extended_usage_restricts_nothing(deployment: Deployment) -> None:
    deployment.objects["portal-admin"] = secret("portal-admin", leaf("portal-admin", deployment.ca), deployment.ca)
    assert judged(deployment) == []


def test_an_intermediate_ca_is_trusted_as_it_stands(deployment: Deployment) -> None:
    start = NOW - timedelta(days=30)
    usage = frozenset({"key_cert_sign"})
    profile = Profile(
        name("ingress-ca"), start, start + TEN_YEARS, usage, constraints=x509.BasicConstraints(True, None)
    )
    deployment.ca = issue(profile, authority("root-ca"))
    deployment.objects.clear()
    deployment.__post_init__()
    assert [each for each in judged(deployment) if each.severity is Severity.ERROR] == []


def test_the_same_key_with_a_later_certificate_is_an_earlier_copy(deployment: Deployment) -> None:
    start = NOW - timedelta(days=60)
    profile = Profile(name("ingress-ca"), start, start + TEN_YEARS, constraints=x509.BasicConstraints(True, None))
    earlier = issue(profile, key=deployment.ca.key)
    deployment.objects["copy"] = secret("ingress-ca", earlier, earlier, namespace="portal", issuer="selfsigning-issuer")
    assert [each.severity for each in judged(deployment) if each.requirement == "PKI-14"] == [Severity.WARNING]


def test_names_that_are_missing_are_shortened_as_the_documents_say(deployment: Deployment) -> None:
    ca, name_ = authority("portal-ca"), "my-very-long-portal-name"
    deployment.objects["portal"] = resource("PortalCluster", name_, siteName="dallas")
    deployment.objects["portal-ca"] = secret("portal-ca", ca, ca, issuer="selfsigning-issuer")
    server = leaf("portal-server", ca, SERVER, hosts=["*.apic"])
    deployment.objects["portal-server"] = secret("portal-server", server, ca, issuer="portal-ca")
    (found,) = [each for each in judged(deployment) if each.requirement == "PKI-10"]
    assert "*.my-very-long-po-dallas-db-all.apic.svc," in found.message and name_ not in found.message


def test_a_copy_is_renewed_where_it_came_from(deployment: Deployment) -> None:
    old = authority(start=NOW - timedelta(days=900))
    deployment.objects["copy"] = secret("ingress-ca", old, old, namespace="ptl", issuer=None)
    outlives = leaf("gateway-client-client", old, CLIENT, life=timedelta(days=4000))
    deployment.objects["gateway-client-client"] = secret("gateway-client-client", outlives, old)
    page = certificates(question(deployment.text()))
    end = f"{old.certificate.not_valid_after_utc:%Y-%m-%d}"
    assert f"gateway-client-client; its CA ends before it, on {end}" in page
    assert page.count("; its CA ends before it") == 1
    assert f"ingress-ca, keys {key(old)} and {key(deployment.ca)}: both valid from 2026-05-02 to {end}" in page
    assert page.count("a copy: cert-manager does not renew it here") == page.count("; cert-manager renews it on") == 1


def test_two_deployments_may_have_two_cas(deployment: Deployment) -> None:
    deployment.objects["other"] = resource("ManagementCluster", "management", "other")
    ca = authority()
    deployment.objects["copy"] = secret("ingress-ca", ca, ca, namespace="other", issuer="selfsigning-issuer")
    judgement = lint(question(deployment.text()))
    assert judgement.findings == [] and "PKI-14" in judgement.not_checked


@pytest.mark.parametrize(
    ("wanted", "subject", "words", "certain"),
    [
        ("CN=a,O=b", "CN=a,O=b", "", False),
        ("CN=a, O=b", "CN=a,O=b", "", False),
        ("CN=a,O=Acme\\, Inc", "CN=a,O=Acme\\, Inc", "", False),
        ("CN=a", "CN=a,O=b", "O=b is missing here", False),
        ("CN=a,O=b", "CN=a", "the certificate has no O=b", True),
        ("O=b,CN=a", "CN=a,O=b", "the order is another", True),
        ("CN=a,OU=b", "CN=a,O=b", "the certificate has no OU=b", True),
        ("CN=x,O=b", "CN=a,O=b", "the common name is a, not x", True),
        ("portal", "CN=a", "cannot be read", False),
    ],
)
def test_differences_of_subjects(wanted: str, subject: str, words: str, certain: bool) -> None:
    found, sure = difference(parse(wanted), parse(subject))
    assert (words in found) and bool(words) == bool(found) and sure is certain


@pytest.mark.parametrize(
    ("pattern", "host", "whether"),
    [("a.b", "A.b", True), ("*.b", "a.b", True), ("*.b", "x.a.b", False), ("*.b", "*.b", False), ("a.b", "a.c", False)],
)
def test_names_cover_hosts(pattern: str, host: str, whether: bool) -> None:
    assert covers(pattern, host) is whether


def test_the_tables() -> None:
    assert [len(table) for table in TABLES] == [25, 4, 7, 4, 1, 5]  # the last is the developer portal of 12.1
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert BY_NAME["ptl-director"].name == "portal-admin"
    assert {row.name for row in ROWS if row.legacy} == {"analytics-client-client", "gateway-service", "gwv6-endpoint"}
    assert BY_NAME["a7s-ing-client"].restart == ("apim", "taskmanager", "analytics-proxy")


def test_the_page_shows_orphans_and_former_cas(deployment: Deployment) -> None:
    _renewed_ca(deployment)
    shared = leaf("portal-web", deployment.ca, SERVER)
    deployment.objects["portal-web"] = secret("portal-web", shared, authority())
    deployment.objects["hub-endpoint"] = secret("hub-endpoint", shared, authority())
    page = certificates(question(deployment.text()))
    assert "API Connect 10.0.8.1 (from the files) on Kubernetes" in page
    assert "a former certificate of that CA" in page
    assert "; cert-manager renews it on 2036-03-30, and not what it signed" in page
    assert "after its renewal restart apim, taskmanager, analytics-proxy" in page
    assert "error PKI-11 Secret apic/portal-admin-client" in page
    assert "PRIVATE KEY" not in page
    del deployment.objects["ingress-ca"]["data"]["ca.crt"]  # type: ignore[attr-defined]
    for each in ("portal-admin-client", "analytics-ingestion-client", "portal-admin", "analytics-ai-endpoint"):
        del deployment.objects[each]["data"]["ca.crt"]  # type: ignore[attr-defined]
    assert "orphan: the key" in certificates(question(deployment.text()))


def test_keys_that_are_shared(deployment: Deployment) -> None:
    from harness.pki.issue import Profile, issue
    from harness.tests.exports import name

    key = leaf("one", deployment.ca).key
    for called in ("portal-admin", "portal-web"):
        made = issue(Profile(name(called), NOW, NOW + timedelta(hours=17520)), deployment.ca, key=key)
        deployment.objects[called] = secret(called, made, deployment.ca)
    page = certificates(question(deployment.text()))
    assert "One key for several certificates" in page and "portal-admin (until" in page.partition("One key")[2]
