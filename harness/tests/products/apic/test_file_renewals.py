"""PKI-7, 8, 12, 13, 18 on exports with certificates: what a renewal leaves behind, and what it does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harness.model.finding import Severity
from harness.products.apic.rules import lint
from harness.products.apic.rules.tables import hours_of
from harness.tests.exports import (
    CLIENT,
    NOW,
    SERVER,
    TEN_YEARS,
    Deployment,
    authority,
    leaf,
    question,
    resource,
    secret,
)

CLIENT_NAME, SERVER_NAME = "gateway-client-client", "gwv6-manager-endpoint"


def found(deployment: Deployment, requirement: str, **options: str) -> list[str]:
    findings = lint(question(deployment.text(), **options)).findings
    return [each.message for each in findings if each.requirement == requirement]


def checked(deployment: Deployment, requirement: str) -> int:
    return lint(question(deployment.text())).checked[requirement]


def pod(name: str, started: str, phase: str = "Running", namespace: str = "apic") -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "status": {"phase": phase, "startTime": started},
    }


def with_gateway(*, validates: bool = True) -> Deployment:
    deployment = Deployment()
    deployment.objects["gateway"] = resource(
        "GatewayCluster",
        "gwv6",
        mtlsValidateClient=validates,
        gatewayManagerEndpoint={"hosts": [{"name": "rgwd.acme.com", "secretName": SERVER_NAME}]},
    )
    deployment.objects[CLIENT_NAME] = secret(CLIENT_NAME, leaf(CLIENT_NAME, deployment.ca, CLIENT), deployment.ca)
    server = leaf("rgwd.acme.com", deployment.ca, SERVER, hosts=["rgwd.acme.com"])
    deployment.objects[SERVER_NAME] = secret(SERVER_NAME, server, deployment.ca)
    return deployment


def test_one_ca_for_gateway_and_client() -> None:
    deployment = with_gateway()
    assert found(deployment, "PKI-7") == [] and checked(deployment, "PKI-7") == 1


def test_another_ca_for_the_gateway() -> None:
    other = authority("other-ca")
    deployment = with_gateway()
    deployment.objects[SERVER_NAME] = secret(SERVER_NAME, leaf("rgwd.acme.com", other, SERVER), other)
    deployment.objects["other-ca"] = secret("other-ca", other, other, issuer=None)
    (message,) = found(deployment, "PKI-7")
    assert CLIENT_NAME in message and SERVER_NAME in message


def test_a_gateway_that_verifies_nobody_is_not_judged() -> None:
    assert checked(with_gateway(validates=False), "PKI-7") == 0


@pytest.mark.parametrize(("days", "warned"), [(31, True), (89, True), (91, False), (400, False), (5, True)])
def test_a_ca_that_is_soon_renewed(days: int, warned: bool) -> None:
    deployment = Deployment(ca=authority(start=NOW - TEN_YEARS + timedelta(days=days)))
    messages = found(deployment, "PKI-12")
    assert len(messages) == warned
    assert all("the 4 certificates" in message for message in messages)
    assert not messages or ("was to renew" in messages[0]) == (days <= 30)


def test_on_appliances_nothing_renews_it() -> None:
    deployment = Deployment(ca=authority(start=NOW - TEN_YEARS + timedelta(days=20)))
    (message,) = found(deployment, "PKI-12", platform="vmware")
    assert "by hand" in message and "cert-manager" not in message


@pytest.mark.parametrize(
    ("name", "requirement"),
    [
        ("analytics-mtls-gw-6c5-x", "PKI-13"),
        ("management-taskmanager-7-x", "PKI-13"),
        ("management-apim-5-x", "PKI-18"),
    ],
)
def test_a_pod_that_was_not_restarted(name: str, requirement: str) -> None:
    deployment = Deployment()
    deployment.objects["pod"] = pod(name, "2026-05-01T00:00:00Z")
    messages = found(deployment, requirement)
    assert messages and all(name in message for message in messages)
    deployment.objects["pod"] = pod(name, "2026-05-31T00:00:00Z")
    assert found(deployment, requirement) == [] and checked(deployment, requirement)


@pytest.mark.parametrize(
    "other",
    [
        pod("management-apim-5-x", "2026-05-01T00:00:00Z", phase="Succeeded"),
        pod("management-apim-5-x", "2026-05-01T00:00:00Z", namespace="other"),
        pod("management-apim-5-x", "yesterday"),
        pod("management-juhu-5-x", "2026-05-01T00:00:00Z"),
    ],
)
def test_pods_that_say_nothing(other: dict[str, object]) -> None:
    deployment = Deployment()
    deployment.objects["pod"] = other
    assert found(deployment, "PKI-18") == [] and found(deployment, "PKI-13") == []


def test_two_data_centres_with_two_subjects() -> None:
    deployment = Deployment()
    deployment.objects["management"] = resource("ManagementCluster", "management", multiSiteHA={"mode": "active"})
    deployment.objects["other"] = resource("ManagementCluster", "management", "dc2", multiSiteHA={"mode": "passive"})
    name = "portal-admin-client"
    again = leaf(name, deployment.ca, CLIENT)
    deployment.objects["copy"] = secret(name, again, deployment.ca, namespace="dc2")
    assert found(deployment, "PKI-8") == [] and checked(deployment, "PKI-8")
    bare = leaf(name, deployment.ca, CLIENT, organization="")
    deployment.objects["copy"] = secret(name, bare, deployment.ca, namespace="dc2")
    (message,) = found(deployment, "PKI-8")
    assert "O=cert-manager" in message
    findings = lint(question(deployment.text())).findings
    assert {each.severity for each in findings if each.requirement == "PKI-8"} == {Severity.ERROR}


def test_a_copy_is_not_renewed_by_cert_manager() -> None:
    deployment = Deployment()
    stale = authority(start=NOW - TEN_YEARS + timedelta(days=20))
    deployment.objects["copy"] = secret("ingress-ca", stale, stale, namespace="portal", issuer=None)
    assert found(deployment, "PKI-12") == [] and checked(deployment, "PKI-12") == 1


def test_a_duration_that_go_does_not_hold_is_none() -> None:
    assert hours_of("99999999999999h") is None and hours_of("720h") == 720
