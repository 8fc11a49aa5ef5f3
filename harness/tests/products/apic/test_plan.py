"""The plan for balancers that terminate TLS: order, refusals, where settings belong, what the sheet says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from harness.errors import UsageError
from harness.model.vocabulary import Path, Posture
from harness.products.apic.operations.files import terminate
from harness.products.rules import Plan
from harness.tests.exports import question, resource
from harness.writers import runbook as writer

CA: dict[str, Any] = {"mgmtPlatformEndpointCASecret": {"secretName": "ingress-ca"}}


def endpoint(host: str) -> dict[str, object]:
    return {"hosts": [{"name": host, "secretName": "s"}]}


def objects(**changes: dict[str, object]) -> list[dict[str, object]]:
    found = {
        "management": resource("ManagementCluster", "management", platformAPIEndpoint=endpoint("api.acme.com")),
        "portal": resource("PortalCluster", "portal", portalAdminEndpoint=endpoint("ptl.acme.com"), **CA),
        "analytics": resource("AnalyticsCluster", "analytics", ingestion={"endpoint": endpoint("ai.acme.com")}, **CA),
        "gateway": resource("GatewayCluster", "gwv6", gatewayManagerEndpoint=endpoint("rgwd.acme.com"), **CA),
    }
    found.update(changes)
    return list(found.values())


def plan(*flows: str, release: str = "", platform: str = "", **changes: dict[str, object]) -> Plan:
    text = yaml.safe_dump_all(objects(**changes))
    return terminate(question(text, release=release, platform=platform), flows)


def commands(found: Plan) -> list[str]:
    return [writer.line(command) for step in found.steps.steps for command in step.commands]


def test_the_token_before_the_certificate_before_the_balancer() -> None:
    found = plan("management-to-portal")
    titles = [step.title for step in found.steps.steps]
    words = ["verify the JWT", "stop verifying the certificate", "terminate TLS for ptl.acme.com:443", "Verify"]
    assert [next(word for word in words if word in title) for title in titles] == words
    first, second, _ = commands(found)
    assert '{"spec": {"jwksUrl": "https://api.acme.com/api/cloud/oauth2/certs"}}' in first
    assert '{"spec": {"mtlsValidateClient": false}}' in second
    assert all("portalclusters.portal.apiconnect.ibm.com/portal" in line for line in (first, second))


def test_before_and_after() -> None:
    rows = {row[0]: row[1:] for row in plan("management-to-portal").steps.before[1].rows}
    assert rows["management-to-portal"] == ("certificate (mTLS)", "JWT, over TLS", "terminates")
    assert rows["management-to-analytics"] == ("certificate (mTLS)", "the same", "passes through")
    assert rows["management-to-api-gateway"] == ("no client authentication; TLS only", "the same", "as today")


def test_a_gateway_gains_a_token() -> None:
    found = plan("management-to-api-gateway")
    assert len([line for line in commands(found) if "patch" in line]) == 1  # mTLS is off already
    rows = {row[0]: row[1:] for row in found.steps.before[1].rows}
    assert rows["management-to-api-gateway"][1] == "JWT, over TLS"


def test_the_sender_comes_before_the_switch() -> None:
    found = plan("api-gateway-to-analytics").steps
    titles = [step.title for step in found.steps]
    sender = next(number for number, title in enumerate(titles) if "send a JWT" in title)
    assert sender < next(number for number, title in enumerate(titles) if "stop verifying the certificate" in title)
    assert any("management-to-analytics" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("flow", "rule"),
    [
        ("v5c-gateway-to-analytics", "CFG-6"),
        ("event-gateway-to-analytics", "CFG-7"),
        ("management-to-event-gateway", "FLW-1"),
        ("management-to-v5c-gateway", "the files have no"),
        ("nonsense", "no flow is called"),
    ],
)
def test_refused(flow: str, rule: str) -> None:
    with pytest.raises(UsageError, match=rule):
        plan(flow)


def test_ingestion_beside_a_v5c_gateway_is_refused() -> None:
    v5c = resource("GatewayCluster", "gwv5", apicGatewayServiceV5CompatibilityMode=True)
    for flow in ("management-to-analytics", "api-gateway-to-analytics"):
        with pytest.raises(UsageError, match="CFG-6"):
            plan(flow, v5c=v5c)
    assert plan("management-to-v5c-gateway", v5c=v5c).steps.steps


def test_all_refusals_at_once() -> None:
    with pytest.raises(UsageError, match=r"(?s)CFG-6.*CFG-7"):
        plan("v5c-gateway-to-analytics", "event-gateway-to-analytics")


def test_without_a_jwks_url_there_is_no_plan() -> None:
    with pytest.raises(UsageError, match="no JWKS URL"):
        plan("management-to-portal", management=resource("ManagementCluster", "management"))


@pytest.mark.parametrize(
    ("release", "state"), [("10.0.5.2", "NOT met"), ("10.0.5.3", "met"), ("10.0.8", "met"), ("10.0.5", "met")]
)
def test_the_release(release: str, state: str) -> None:
    row = plan("management-to-portal", release=release).steps.before[0].rows[0]
    assert "10.0.5.3" in row[0] and row[1].startswith(state)


def test_events_need_a_later_release() -> None:
    row = plan("api-gateway-to-analytics", release="10.0.5.3").steps.before[0].rows[0]
    assert "10.0.5.4" in row[0] and row[1].startswith("NOT met")


def test_a_missing_ca_is_set_with_the_url() -> None:
    portal = resource("PortalCluster", "portal", portalAdminEndpoint=endpoint("ptl.acme.com"))
    first = commands(plan("management-to-portal", portal=portal))[0]
    assert '"mgmtPlatformEndpointCASecret": {"secretName": "ingress-ca"}' in first


def test_with_a_top_level_resource_the_settings_go_there() -> None:
    top: dict[str, object] = {
        "apiVersion": "apiconnect.ibm.com/v1beta1",
        "kind": "APIConnectCluster",
        "metadata": {"name": "small", "namespace": "apic"},
        "spec": {"version": "10.0.8.1", "portal": {"mtlsValidateClient": True}},
    }
    portal = resource("PortalCluster", "small-ptl", portalAdminEndpoint=endpoint("ptl.acme.com"))
    line = commands(plan("management-to-portal", portal=portal, top=top, platform="openshift"))[0]
    assert line.startswith("oc patch apiconnectclusters.apiconnect.ibm.com/small ")
    patch = json.loads(line.split("--patch=", 1)[1].split("'", 1)[0])
    assert patch == {"spec": {"portal": {"jwksUrl": "https://api.acme.com/api/cloud/oauth2/certs"}}}


def test_on_appliances() -> None:
    found = commands(plan("management-to-portal", platform="vmware"))
    assert found[0] == "apicup subsys set portal jwks-url=https://api.acme.com/api/cloud/oauth2/certs"
    assert "apicup subsys set portal mtls-validate-client=false" in found


def test_the_sheet() -> None:
    v5c = resource("GatewayCluster", "gwv5", apicGatewayServiceV5CompatibilityMode=True)
    ended, through, either, platform = plan("management-to-portal", v5c=v5c).sheet.before
    assert ended.rows == (("management-to-portal", "ptl.acme.com:443", ""),)
    passed = {row[0]: row[2] for row in through.rows}
    assert "CFG-6" in passed["v5c-gateway-to-analytics"] and "management-to-analytics" in passed
    assert {row[0] for row in either.rows} == {"management-to-api-gateway", "management-to-v5c-gateway"}
    assert all(row[1].startswith("api.acme.com:443") for row in platform.rows)


def test_the_states_in_between() -> None:
    states = [(each.posture, each.path) for each in plan("management-to-portal").states]
    assert states == [
        (Posture.MTLS, Path.PASSTHROUGH),
        (Posture.MTLS, Path.TERMINATING),
        (Posture.BOTH, Path.PASSTHROUGH),
        (Posture.JWT, Path.PASSTHROUGH),
        (Posture.JWT, Path.TERMINATING),
    ]
    gateway = [(each.posture, each.path) for each in plan("management-to-api-gateway").states]
    assert gateway == [
        (Posture.TLS_ONLY, Path.PASSTHROUGH),
        (Posture.JWT, Path.PASSTHROUGH),
        (Posture.JWT, Path.TERMINATING),
    ]


def test_a_missing_ca_is_said_among_the_prerequisites() -> None:
    portal = resource("PortalCluster", "portal", portalAdminEndpoint=endpoint("ptl.acme.com"))
    states = [row[1] for row in plan("management-to-portal", portal=portal).steps.before[0].rows if "CA" in row[0]]
    assert states == ["not met: set with jwksUrl below"]
