"""The runbook for a CA: what it names, in which order, what it leaves alone, and what it says stops."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml

from harness.errors import UsageError
from harness.model.runbook import Runbook
from harness.products.apic.operations.files import renew
from harness.products.apic.operations.trust_state import DEFAULT_LINKS, Link, Trust
from harness.tests.exports import CLIENT, NOW, SERVER, Deployment, authority, leaf, question, resource, secret
from harness.writers import runbook as writer


def book(deployment: Deployment, name: str = "ingress-ca", **options: str) -> Runbook:
    return renew(question(deployment.text(), **options), name)


def lines(found: Runbook) -> list[str]:
    return [writer.line(command) for step in found.steps for command in step.commands]


def position(found: Runbook, words: str) -> int:
    return next(number for number, line in enumerate(lines(found)) if words in line)


def test_the_ca_then_what_it_signed_then_restarts() -> None:
    found = book(Deployment())
    order = [
        "delete secret/ingress-ca --namespace=apic",
        "wait --for=create secret/ingress-ca",
        "delete secret/portal-admin --namespace=apic",
        "(apim|taskmanager|analytics-proxy)",
        "(mtls-gw)",
        "(www)",
    ]
    places = [position(found, words) for words in order]
    assert places == sorted(places)
    for name in ("portal-admin-client", "analytics-ingestion-client", "analytics-ai-endpoint"):
        assert f"kubectl delete secret/{name} --namespace=apic" in lines(found)
    assert found.steps[-1].down == ()


def test_what_stops_and_what_works_again() -> None:
    steps = {step.title: step for step in book(Deployment()).steps}
    reissued = steps["Renew what ingress-ca signed"]
    assert "management-to-portal" in reissued.breaks and "management-to-analytics" not in reissued.down
    apim = steps["Restart apim, taskmanager, analytics-proxy in namespace apic"]
    assert "management-to-portal" in apim.restores and "management-to-analytics" in apim.breaks
    assert "management-to-analytics" in steps["Restart mtls-gw in namespace apic"].restores


def test_a_ca_that_was_renewed_is_not_renewed_again() -> None:
    deployment = Deployment()
    former = authority(start=NOW - timedelta(days=3000))
    deployment.objects["portal-admin"] = secret("portal-admin", leaf("api.portal.acme.com", former, SERVER), former)
    found = book(deployment)
    assert not any("delete secret/ingress-ca" in line for line in lines(found))
    assert "kubectl delete secret/portal-admin --namespace=apic" in lines(found)
    assert any("former key" in remark and "portal-admin" in remark for remark in found.remarks)


def test_a_ca_that_is_due_is_renewed_even_so() -> None:
    deployment = Deployment(ca=authority(start=NOW - timedelta(hours=87600) + timedelta(days=20)))
    former = authority(start=NOW - timedelta(days=3640))
    deployment.objects["portal-admin"] = secret("portal-admin", leaf("api.portal.acme.com", former, SERVER), former)
    assert any("delete secret/ingress-ca" in line for line in lines(book(deployment)))


def test_a_certificate_of_another_issuer_is_left_alone() -> None:
    deployment, own = Deployment(), authority("acme-root")
    deployment.objects["api-endpoint"] = secret("api-endpoint", leaf("api.acme.com", own, SERVER), own, issuer="acme")
    deployment.objects["management"] = resource(
        "ManagementCluster",
        "management",
        platformAPIEndpoint={
            "annotations": {"cert-manager.io/issuer": "ingress-issuer"},
            "hosts": [{"name": "api.acme.com", "secretName": "api-endpoint"}],
        },
    )
    assert not any("delete secret/api-endpoint" in line for line in lines(book(deployment)))


def test_a_legacy_certificate_is_left_alone() -> None:
    deployment = Deployment()
    name = "analytics-client-client"
    deployment.objects[name] = secret(name, leaf(name, deployment.ca, CLIENT), deployment.ca)
    found = book(deployment)
    assert not any(f"delete secret/{name}" in line for line in lines(found))
    assert any(row[0] == name and "legacy" in row[2] for row in found.before[0].rows)


def test_copies_come_before_what_their_issuers_sign() -> None:
    deployment = Deployment()
    deployment.objects["portal"] = resource("PortalCluster", "portal", "ptl")
    deployment.objects["copy"] = secret("ingress-ca", deployment.ca, deployment.ca, namespace="ptl", issuer=None)
    server = leaf("api.portal.acme.com", deployment.ca, SERVER)
    deployment.objects["portal-admin"] = secret("portal-admin", server, deployment.ca, namespace="ptl")
    found = book(deployment)
    copied = position(found, "apply --server-side --force-conflicts --filename=- --namespace=ptl")
    assert position(found, "delete secret/ingress-ca --namespace=apic") < copied
    assert copied < position(found, "delete secret/portal-admin --namespace=ptl")
    assert not any("delete secret/ingress-ca --namespace=ptl" in line for line in lines(found))


def test_openshift_and_appliances() -> None:
    assert any(
        line.startswith("oc delete secret/ingress-ca") for line in lines(book(Deployment(), platform="openshift"))
    )
    appliance = lines(book(Deployment(), platform="vmware"))
    assert "apicup certs set --clear management ingress-ca" in appliance
    assert all(line.startswith("apicup ") for line in appliance)
    with pytest.raises(UsageError, match="renewed automatically"):
        book(Deployment(), "management-ca", platform="vmware")


@pytest.mark.parametrize("name", ["nonsense", "portal-admin", "", "ingress-ca; reboot"])
def test_what_is_no_ca_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a CA"):
        book(Deployment(), name)


def test_two_deployments_are_refused() -> None:
    deployment = Deployment()
    deployment.objects["other"] = resource("ManagementCluster", "management", "other")
    with pytest.raises(UsageError, match="several deployments"):
        book(deployment)


def test_names_of_files_are_one_word() -> None:
    deployment = Deployment()
    name = "x; reboot"
    deployment.objects[name] = secret(name, leaf("x", deployment.ca, CLIENT), deployment.ca, namespace="-n evil")
    assert "kubectl delete 'secret/x; reboot' '--namespace=-n evil'" in lines(book(deployment))


def test_the_subsystem_cas() -> None:
    objects = [resource("AnalyticsCluster", "analytics")]
    ca = authority("analytics-ca")
    objects += [secret("analytics-ca", ca, ca, issuer="selfsigning-issuer")]
    objects += [secret("analytics-client", leaf("analytics-client", ca, CLIENT), ca, issuer="analytics-ca")]
    found = renew(question(yaml.safe_dump_all(objects)), "a7s-ca")
    assert "kubectl delete secret/analytics-client --namespace=apic" in lines(found)
    assert any("-(ingestion|storage)-" in line for line in lines(found))


def test_a_ca_of_which_the_files_show_no_certificate() -> None:
    steps = {
        step.title: step for step in renew(question(yaml.safe_dump(resource("PortalCluster", "p"))), "ptl-ca").steps
    }
    assert steps["Renew what portal-ca signed"].by_hand == (
        "the files show none: delete each secret that step 1 lists",
    )


@pytest.mark.parametrize("ca", ["ingress-ca", "management-ca", "portal-ca", "analytics-ca"])
def test_the_wrong_orders_are_those_of_the_ca(ca: str) -> None:
    words = " ".join(" ".join(row) for row in book(Deployment(), ca).after[0].rows)
    others = {"ingress-ca", "management-ca", "portal-ca", "analytics-ca"} - {ca}
    assert not any(other in words for other in others) and ("apim" in words) == (ca == "ingress-ca")


def test_a_certificate_that_the_tables_do_not_know() -> None:
    deployment = Deployment()
    name = "wmapigateway-mgmt-client"  # a published installation of 12.1.0.2
    deployment.objects[name] = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": name, "namespace": "apic"},
        "spec": {"secretName": name, "issuerRef": {"name": "ingress-issuer"}},
    }
    assert f"kubectl delete secret/{name} --namespace=apic" in lines(book(deployment))
    assert not any(name in line for line in lines(book(deployment, "management-ca")))


def test_trust_that_is_half_new() -> None:
    trust = Trust((Link("a", "client", "server"), Link("b", "client", "server", mutual=False)))
    assert trust.down() == ()
    trust.renew(["server"])
    assert trust.down() == ("a", "b")
    trust.trust(["client"])
    assert trust.down() == ("a",)
    trust.renew(["client"])
    assert trust.down() == ()


def test_a_flow_whose_client_does_not_validate_goes_on() -> None:
    trust = Trust((Link("a", "client", "server", mutual=False, validated=False),))
    trust.renew(["server"])
    assert trust.down() == ()


def test_everything_renewed_is_everything_up() -> None:
    trust = Trust(DEFAULT_LINKS)
    trust.renew({part for link in DEFAULT_LINKS for part in (link.client, link.server)})
    assert trust.down() == ()
