"""What stands in front of an endpoint: Routes and Ingresses that terminate TLS, pass it through, or have none."""

from __future__ import annotations

import pytest
import yaml

from harness.model.finding import Severity
from harness.products.apic.rules import lint
from harness.tests.cert_manager import Object
from harness.tests.exports import question

HOST, KEYS = "api.portal.acme.com", "https://api.acme.com/api/cloud/oauth2/certs"
NGINX = "nginx.ingress.kubernetes.io"
MTLS: Object = {}
JWT: Object = {"mtlsValidateClient": False, "jwksUrl": KEYS}
BOTH: Object = {"mtlsValidateClient": True, "jwksUrl": KEYS}
Found = dict[str, list[str]]


def portal(settings: Object | None = None, namespace: str = "apic") -> Object:
    hosts = {"hosts": [{"name": HOST, "secretName": "portal-admin"}]}
    return {
        "apiVersion": "portal.apiconnect.ibm.com/v1beta1",
        "kind": "PortalCluster",
        "metadata": {"name": "portal", "namespace": namespace},
        "spec": {"version": "10.0.8.1", "portalAdminEndpoint": hosts, **(settings or {})},
    }


def route(tls: object, host: str = HOST) -> Object:
    spec = {"host": host, **({} if tls is None else {"tls": tls})}
    metadata = {"name": "portal-director", "namespace": "apic"}
    return {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": metadata, "spec": spec}


def ingress(annotations: dict[str, str], controller: str = "nginx", tls: bool = True) -> Object:
    spec: Object = {"rules": [{"host": HOST}]}
    if controller:
        spec["ingressClassName"] = controller
    if tls:
        spec["tls"] = [{"hosts": [HOST], "secretName": "portal-admin"}]
    metadata = {"name": "portal-director", "namespace": "apic", "annotations": annotations}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}


def judged(*objects: Object) -> Found:
    """What FLW-0 and FLW-3 say: severities, ``undecided``, ``sound``, or nothing where they were not asked."""
    judgement = lint(question(yaml.safe_dump_all(objects)))
    found: Found = {}
    for name in ("FLW-0", "FLW-3"):
        severities = [str(each.severity) for each in judgement.findings if each.requirement == name]
        undecided = ["undecided" for _ in judgement.undecided.get(name, ())]
        sound = ["sound"] if judgement.checked[name] and not severities else []
        found[name] = severities or undecided or sound
    return found


ROUTES = [
    (MTLS, {"termination": "passthrough"}, ["sound"], ["sound"]),
    (MTLS, {"termination": "Passthrough", "insecureEdgeTerminationPolicy": "Redirect"}, ["sound"], ["sound"]),
    (MTLS, {"termination": "edge"}, ["sound"], ["error"]),
    (MTLS, {"termination": "reencrypt"}, ["sound"], ["error"]),
    (BOTH, {"termination": "reencrypt"}, ["sound"], ["error"]),
    (MTLS, None, ["error"], []),
    (MTLS, {"termination": "$TERMINATION"}, ["sound"], ["undecided"]),
    (JWT, {"termination": "passthrough"}, ["sound"], []),
    (JWT, {"termination": "reencrypt"}, ["sound"], []),
    (JWT, {"termination": "edge"}, ["error"], []),
    (JWT, None, ["error"], []),
    (JWT, {"termination": "reencrypt", "insecureEdgeTerminationPolicy": "Allow"}, ["error"], []),
    (JWT, {"termination": "reencrypt", "insecureEdgeTerminationPolicy": "None"}, ["sound"], []),
    ({"mtlsValidateClient": "$MTLS", "jwksUrl": KEYS}, {"termination": "reencrypt"}, ["sound"], ["undecided"]),
]


@pytest.mark.parametrize(("settings", "tls", "clear", "terminated"), ROUTES)
def test_a_route(settings: Object, tls: object, clear: list[str], terminated: list[str]) -> None:
    assert judged(portal(settings), route(tls)) == {"FLW-0": clear, "FLW-3": terminated}


INGRESSES = [
    (MTLS, ingress({f"{NGINX}/ssl-passthrough": "true"}), ["sound"], ["sound"]),
    (MTLS, ingress({f"{NGINX}/ssl-passthrough": "true"}, ""), ["sound"], ["sound"]),
    (MTLS, ingress({f"{NGINX}/ssl-passthrough": "True"}, "nginx-internal"), ["sound"], ["sound"]),
    (MTLS, ingress({f"{NGINX}/ssl-passthrough": "false"}), ["sound"], ["error"]),
    (MTLS, ingress({f"{NGINX}/backend-protocol": "HTTPS"}), ["sound"], ["error"]),
    (MTLS, ingress({"kubernetes.io/ingress.class": "nginx"}, ""), ["sound"], ["error"]),
    (MTLS, ingress({"haproxy.org/ssl-passthrough": "true"}, "haproxy"), ["sound"], ["sound"]),
    (MTLS, ingress({"haproxy.org/ssl-passthrough": "false"}, "haproxy"), ["undecided"], ["error"]),
    # Another controller does not read the annotation of ingress-nginx.
    (MTLS, ingress({f"{NGINX}/ssl-passthrough": "true"}, "traefik"), ["undecided"], ["undecided"]),
    (MTLS, ingress({}, "traefik"), ["undecided"], ["undecided"]),
    (MTLS, ingress({}, ""), ["undecided"], ["undecided"]),
    (JWT, ingress({f"{NGINX}/ssl-passthrough": "true"}), ["sound"], []),
    (JWT, ingress({f"{NGINX}/backend-protocol": "HTTPS"}), ["sound"], []),
    (JWT, ingress({f"{NGINX}/backend-protocol": "HTTP"}), ["error"], []),
    (JWT, ingress({}), ["warning"], []),
    (JWT, ingress({f"{NGINX}/backend-protocol": "HTTPS", f"{NGINX}/ssl-redirect": "false"}), ["error"], []),
    (JWT, ingress({f"{NGINX}/backend-protocol": "HTTPS"}, tls=False), ["error"], []),
    (
        JWT,
        ingress({f"{NGINX}/backend-protocol": "HTTPS", f"{NGINX}/force-ssl-redirect": "true"}, tls=False),
        ["sound"],
        [],
    ),
]


@pytest.mark.parametrize(("settings", "front", "clear", "terminated"), INGRESSES)
def test_an_ingress(settings: Object, front: Object, clear: list[str], terminated: list[str]) -> None:
    assert judged(portal(settings), front) == {"FLW-0": clear, "FLW-3": terminated}


@pytest.mark.parametrize(
    "objects",
    [
        (portal(), route({"termination": "edge"}, "portal.acme.com")),  # what users see
        (portal(MTLS, "portal"), route({"termination": "edge"})),  # of another namespace
        (route({"termination": "edge"}),),
        (portal(),),
        (portal(), {**route({"termination": "edge"}), "apiVersion": "acme.com/v1"}),
    ],
)
def test_what_stands_in_front_of_nothing_of_ours_is_not_judged(objects: tuple[Object, ...]) -> None:
    assert judged(*objects) == {"FLW-0": [], "FLW-3": []}


def test_the_status_names_an_endpoint_as_well() -> None:
    made = portal()
    made["spec"] = {"version": "10.0.8.1"}
    endpoint = {"name": "director", "secretName": "portal-admin", "type": "API", "uri": f"https://{HOST}/"}
    made["status"] = {"endpoints": [endpoint, {"name": "x", "secretName": "portal-admin", "uri": "https://[bad/"}]}
    assert judged(made, route({"termination": "edge"}))["FLW-3"] == ["error"]


def test_a_gateway_verifies_no_certificate_by_default() -> None:
    cases: tuple[tuple[Object, list[str]], ...] = ((MTLS, []), ({"mtlsValidateClient": True}, ["error"]))
    for settings, expected in cases:
        made = portal(settings)
        made |= {"apiVersion": "gateway.apiconnect.ibm.com/v1beta1", "kind": "GatewayCluster"}
        text = yaml.safe_dump_all([made, route({"termination": "reencrypt"})])
        text = text.replace("portalAdminEndpoint", "gatewayManagerEndpoint")
        found = lint(question(text)).findings
        assert [str(each.severity) for each in found if each.requirement == "FLW-3"] == expected


def test_rest_calls_to_management_need_no_passthrough() -> None:
    hosts = {"hosts": [{"name": HOST, "secretName": "api-endpoint"}]}
    made: Object = {
        "apiVersion": "management.apiconnect.ibm.com/v1beta1",
        "kind": "ManagementCluster",
        "metadata": {"name": "management", "namespace": "apic"},
        "spec": {"version": "10.0.8.1", "platformAPIEndpoint": hosts},
    }
    assert judged(made, route({"termination": "edge"})) == {"FLW-0": ["sound"], "FLW-3": []}
    assert judged(made, route(None)) == {"FLW-0": ["error"], "FLW-3": []}
    (found,) = lint(question(yaml.safe_dump_all([made, route(None)]))).findings
    assert found.severity is Severity.ERROR and found.patch is None  # reencrypt, or passthrough


@pytest.mark.parametrize(
    ("ports", "kind", "expected"),
    [
        (["2000"], "ClusterIP", 0),
        (["443", "2000"], "ClusterIP", 0),
        (["2001"], "ClusterIP", 1),
        (["1"], "ExternalName", 0),
    ],
)
def test_a_service_has_the_port_that_keys_are_fetched_from(ports: list[str], kind: str, expected: int) -> None:
    keys = "https://management-juhu.apic.svc:2000/api/cloud/oauth2/certs"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "management-juhu", "namespace": "apic"},
        "spec": {"type": kind, "ports": [{"name": "juhu", "port": int(port)} for port in ports]},
    }
    text = yaml.safe_dump_all([portal({"jwksUrl": keys}), service])
    found = [each for each in lint(question(text)).findings if each.requirement == "CFG-11"]
    assert len(found) == expected
    for each in found:
        assert each.patch is not None and each.patch.operations[0].value == keys.replace("2000", "2001")


@pytest.mark.parametrize(
    ("secret", "namespace", "expected"),
    [("ingress-ca", "apic", 1), ("portal-ca", "apic", 1), ("portal-admin", "apic", 0), ("ingress-ca", "elsewhere", 0)],
)
def test_an_ingress_presents_no_ca(secret: str, namespace: str, expected: int) -> None:
    text = yaml.safe_dump_all([portal(MTLS, namespace), ingress({f"{NGINX}/ssl-passthrough": "true"})])
    found = lint(
        question(
            text.replace("- api.portal.acme.com\n    secretName: portal-admin", f"- {HOST}\n    secretName: {secret}")
        )
    ).findings
    assert len([each for each in found if each.requirement == "PKI-3"]) == expected
