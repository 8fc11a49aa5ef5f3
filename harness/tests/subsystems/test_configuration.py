"""What refuses to start, and whether the message says which field, which rule and what to set."""

from __future__ import annotations

from typing import Any

import pytest

from harness.tests.subsystems.support import Deployment

GOOD_URL = "https://api.apic.test:1/api/cloud/oauth2/certs"
CA = "mgmtPlatformEndpointCASecret"


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("portal", {"mtlsValidateClient": False}, ["spec.mtlsValidateClient", "both be disabled", "spec.jwksUrl"]),
        ("analytics", {"mtlsValidateClient": False}, ["spec.mtlsValidateClient", "cannot both be disabled"]),
        ("analytics", {"mtlsValidateClient": False, "jwksUrl": ""}, ["cannot both be disabled"]),
        ("event-gateway", {"mtlsValidateClient": False}, ["cannot be turned off", "spec.mtlsValidateClient: true"]),
        ("portal", {"mtlsValidateClient": "false"}, ["spec.mtlsValidateClient", "'false'", "boolean", "quotes"]),
        ("api-gateway", {"validateApimClient": 1}, ["spec.validateApimClient", "boolean"]),
        ("portal", {"jwksUrl": GOOD_URL.replace("https", "http")}, ["spec.jwksUrl", "https"]),
        ("portal", {"jwksUrl": "https://api.apic.test/oauth2/certs"}, ["spec.jwksUrl", "/api/cloud/oauth2/certs"]),
        ("portal", {"jwksUrl": "api.apic.test/api/cloud/oauth2/certs"}, ["spec.jwksUrl", "https"]),
        ("portal", {"jwksUrl": GOOD_URL + "?x=1"}, ["spec.jwksUrl", "query"]),
        ("portal", {"jwksUrl": 7}, ["spec.jwksUrl", "not a URL"]),
        ("portal", {"jwksUrl": "https://else.where/api/cloud/oauth2/certs"}, ["else.where", "not known"]),
        ("portal", {"jwksUrl": GOOD_URL, CA: None}, ["mgmtPlatformEndpointCASecret", "unverified"]),
        (
            "portal",
            {"jwksUrl": "https://management-juhu.apic.svc:1/api/cloud/oauth2/certs"},
            ["spec.mgmtPlatformEndpointSvcCASecret"],
        ),
        ("portal", {"jwksUrl": GOOD_URL, "mgmtPlatformEndpointCASecret": {"secretName": "nope"}}, ["nope", "ca.crt"]),
        ("portal", {"adminClientSubjectDN": None}, ["spec.adminClientSubjectDN", "missing"]),
        ("portal", {"adminClientSubjectDN": "nonsense"}, ["spec.adminClientSubjectDN", "RFC 4514"]),
        ("portal", {"adminClientSubjectDN": ""}, ["spec.adminClientSubjectDN", "empty"]),
        ("portal", {"adminClientSubjectDN": ["CN=x"]}, ["spec.adminClientSubjectDN", "RFC 4514"]),
        ("portal", {"portalAdminEndpoint": None}, ["spec.portalAdminEndpoint.hosts", "secretName"]),
        ("portal", {"portalAdminEndpoint": {"hosts": [{"name": "x", "secretName": "nope"}]}}, ["nope", "tls.crt"]),
        ("portal", {CA: {"secretName": "../x"}, "jwksUrl": GOOD_URL}, ["not the name of a secret"]),
    ],
)  # fmt: skip
def test_refusals(lab: Deployment, kind: str, changes: dict[str, Any], words: list[str]) -> None:
    message = lab.refusal(kind, changes)
    assert "try: set " in message and ".yaml" in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "not YAML"), ("[]", "mapping"), ("kind: AnalyticsCluster", "PortalCluster"),
        ("kind: PortalCluster", "spec"), (None, "read"),
    ],
)  # fmt: skip
def test_unreadable_resources(lab: Deployment, text: str | None, word: str) -> None:
    order = lab.order("portal")
    order["config"] = str(lab.folder / "bad.yaml")
    if text is not None:
        (lab.folder / "bad.yaml").write_text(text)
    else:
        order["config"] += ".gone"
    answer = lab.process.do("start", instances=[order])[order["id"]]
    assert word in answer["refused"]


def test_mismatched_key(lab: Deployment) -> None:
    secret = lab.folder / "secrets" / "portal-admin"
    before = (secret / "tls.key").read_bytes()
    try:
        (secret / "tls.key").write_bytes((lab.folder / "secrets" / "api-endpoint" / "tls.key").read_bytes())
        assert "tls.key is not the key" in lab.refusal("portal", {})
    finally:
        (secret / "tls.key").write_bytes(before)


def test_bad_commands_do_no_harm(lab: Deployment) -> None:
    process = lab.process
    for line in (b"{", b"[]", b'"x"', b"{}", b'{"id": 1, "op": "dance"}', b'{"id": 1, "op": "start"}', b"[" * 100_000):
        assert process.raw(line)["ok"] is False
    assert "unknown kind" in process.ask("start", instances=[{**lab.order("portal"), "kind": "bank"}])["error"]
    assert "unknown fault" in process.ask("start", instances=[lab.order("portal", faults=["x"])])["error"]
    assert "not for portal" in process.ask("start", instances=[lab.order("portal", faults=["omits-token"])])["error"]
    assert "no instance" in process.ask("state", instances=["x"])["error"]
    server = lab.start("portal")
    taken = {**lab.order("portal"), "id": server.id}
    assert "already there" in process.ask("start", instances=[taken])["error"]
    assert server.good().served


def test_stop_closes_the_port_and_tells_open_connections(lab: Deployment) -> None:
    import socket

    server = lab.start("portal")
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        port = plain.getsockname()[1]
        assert server.good().served  # so the first connection was accepted as well
        server.stop()
        assert lab.process.connection(server.port, port)["listener"] == server.id
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
