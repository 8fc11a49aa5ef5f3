"""Keys and time: caching, outage, rotation, the moved clock, and management as a client."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.pki.deployment import public_jwk
from harness.tests.subsystems.support import HOST, Deployment, Server

DAY, YEAR = 86_400, 365 * 86_400


def _management(lab: Deployment) -> Server:
    return Server(lab, "management/0", "management", int(lab.jwks_url.split(":")[2].split("/")[0]))


def _restarted(lab: Deployment, old: Server) -> None:
    order = {**lab.order("management", port=old.port), "id": old.id}
    assert lab.process.do("start", instances=[order])[old.id] == {"port": old.port}


@pytest.fixture
def management(own_lab: Deployment) -> Server:
    known = own_lab.process.ask("state", instances=["x"])["error"]
    assert "x" in known
    port = int(own_lab.jwks_url.split(":")[2].split("/")[0])
    order = own_lab.order("management")
    own = own_lab.process.do("start", instances=[order])[order["id"]]["port"]
    assert own != port
    own_lab.jwks_url = own_lab.jwks_url.replace(str(port), str(own))
    return Server(own_lab, order["id"], "management", own)


def _at(lab: Deployment, offset: float) -> str:
    """Move the clock; a token issued by it."""
    import time

    lab.process.do("clock", offset=offset)
    now = int(time.time() + offset)
    return lab.token(iat=now, exp=now + 300)


@pytest.mark.parametrize(("kind", "lifetime"), [("analytics", DAY), ("portal", 1800), ("api-gateway", 1800)])
def test_cache_and_its_expiry(own_lab: Deployment, management: Server, kind: str, lifetime: int) -> None:
    server = own_lab.start(kind, "jwt")
    for _ in range(5):
        assert server.good().served
    assert (server.counter("jwks_fetches"), server.counter("jwks_cache_hits"), management.counter("jwks_hits")) == (
        1,
        4,
        1,
    )
    assert server.good(token=_at(own_lab, lifetime - 60)).served
    assert server.counter("jwks_fetches") == 1
    assert server.good(token=_at(own_lab, lifetime + 60)).served
    assert (server.counter("jwks_fetches"), management.counter("jwks_hits")) == (2, 2)


def test_management_down(own_lab: Deployment, management: Server) -> None:
    server, cold = own_lab.start("analytics", "jwt"), own_lab.start("analytics", "jwt")
    assert server.good().served
    management.stop()
    assert cold.good().reason == "keys-unavailable"
    assert server.good(token=_at(own_lab, DAY - 60)).served
    late = server.good(token=(token := _at(own_lab, DAY + 60)))
    assert (late.status, late.reason, late.acted) == (401, "keys-unavailable", False)
    _restarted(own_lab, management)
    assert server.good(token=token).served and cold.good(token=token).served


def test_rotation(own_lab: Deployment, management: Server) -> None:
    server = own_lab.start("analytics", "jwt")
    assert server.good().served
    new = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    keys = {"keys": [{**public_jwk(new.public_key()), "kid": "new", "use": "sig", "alg": "RS256"}]}
    old_token = own_lab.token()
    (own_lab.folder / "jwt" / "jwks.json").write_text(json.dumps(keys))
    assert server.good(token=old_token).served  # until the cache is refreshed
    assert server.good(token=own_lab.token({"kid": "new"}, key=new)).served
    assert server.good(token=old_token).reason == "token-key"
    assert server.counter("jwks_fetches") == 2
    for _ in range(5):
        assert server.good(token=own_lab.token({"kid": "unknown"}, key=new)).reason == "token-key"
    assert server.counter("jwks_fetches") == 2  # within the cooldown
    assert server.good(token=own_lab.token({"kid": "new"}, key=new)).served


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"keys": 1}', b'{"keys": []}', b"\xff", b"[" * 200_000, b"x" * 400_000]
)
def test_bad_key_set_leaves_the_cached_keys(own_lab: Deployment, management: Server, body: bytes) -> None:
    server = own_lab.start("analytics", "jwt")
    assert server.good().served
    (own_lab.folder / "jwt" / "jwks.json").write_bytes(body)
    assert server.good(token=own_lab.token({"kid": "unknown"})).reason == "token-key"
    assert server.counter("jwks_failures") == 1
    assert server.good().served
    cold = own_lab.start("portal", "jwt")
    assert (cold.good().status, cold.good().reason) == (401, "keys-unavailable")


def test_unusable_keys_are_skipped(own_lab: Deployment, management: Server, signing_key: rsa.RSAPrivateKey) -> None:
    jwk: dict[str, Any] = {**public_jwk(signing_key.public_key()), "use": "sig", "alg": "RS256"}
    small = public_jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key())
    entries: list[Any] = [
        None, 1, {}, {**jwk, "kid": "enc", "use": "enc"}, {**jwk, "kid": "ops", "key_ops": ["sign"]},
        {**jwk, "kid": "alg", "alg": "PS256"}, {**jwk, "kid": "private", "d": "AQAB"},
        {**jwk, "kid": "no-n", "n": None}, {**jwk, "kid": "twice"}, {**jwk, "kid": "twice"},
        {**small, "kid": "small"}, {"kty": "oct", "k": "AA", "kid": "oct"},
        {**jwk, "kid": "x5c", "x5c": ["AAAA"]}, {**jwk, "kid": "e", "e": "AQ"}, {**jwk, "kid": "good"},
    ]  # fmt: skip
    (own_lab.folder / "jwt" / "jwks.json").write_text(json.dumps({"keys": entries}))
    server = own_lab.start("portal", "jwt")
    assert server.good(token=own_lab.token({"kid": "good"})).served
    for entry in entries[3:-1]:
        assert server.good(token=own_lab.token({"kid": entry["kid"]})).reason == "token-key", entry["kid"]


def test_keys_only_from_a_verified_server(own_lab: Deployment, management: Server) -> None:
    for changes in (
        {"mgmtPlatformEndpointCASecret": {"secretName": "management-ca"}},
        {
            "jwksUrl": own_lab.jwks_url.replace("api.apic.test", "management-juhu.apic.svc"),
            "mgmtPlatformEndpointSvcCASecret": {"secretName": "ingress-ca"},
        },
    ):
        server = own_lab.start("portal", "jwt", changes)
        assert server.good().reason == "keys-unavailable"
    assert management.counter("jwks_hits") == 0
    own_lab.process.do("clock", offset=3 * YEAR)
    late = own_lab.start("portal", "jwt")
    assert late.good(token=_at(own_lab, 3 * YEAR)).reason == "keys-unavailable"  # the server's certificate has expired


def test_in_cluster_keys(own_lab: Deployment) -> None:
    hosts = {"hosts": [{"name": "management-juhu.apic.svc", "secretName": "management-server"}]}
    inside = own_lab.start("management", changes={"platformAPIEndpoint": hosts})
    changes = {
        "jwksUrl": f"https://management-juhu.apic.svc:{inside.port}/api/cloud/oauth2/certs",
        "mgmtPlatformEndpointSvcCASecret": {"secretName": "management-ca"},
    }
    assert own_lab.start("portal", "jwt", changes).good().served
    assert inside.counter("jwks_hits") == 1


def _reload(server: Server, **changes: Any) -> Any:
    order = server.deployment.order(server.kind, {**server.deployment.posture("jwt"), **changes})
    return server.deployment.process.ask("reload", instance=server.id, config=order["config"])


def test_a_gateway_takes_over_a_changed_url_as_it_runs(own_lab: Deployment, management: Server) -> None:
    server = own_lab.start("api-gateway", "jwt")
    assert server.good().served and management.counter("jwks_hits") == 1
    before = server.effects()
    other = own_lab.start("management")
    url = own_lab.jwks_url.replace(str(management.port), str(other.port))
    assert _reload(server, jwksUrl=url)["result"] == {"reloaded": True}
    assert server.good().served and server.effects()[: len(before)] == before
    assert (management.counter("jwks_hits"), other.counter("jwks_hits")) == (1, 1)  # no key was kept
    assert "jwksUrl" in _reload(server, jwksUrl="https://nowhere/x")["error"]
    assert server.good().served


@pytest.mark.parametrize("kind", ["portal", "analytics"])
def test_portal_and_analytics_restart_for_a_changed_url(own_lab: Deployment, kind: str) -> None:
    server = own_lab.start(kind, "jwt")
    other = own_lab.start("management")
    url = f"https://api.apic.test:{other.port}/api/cloud/oauth2/certs"
    assert _reload(server, jwksUrl=url)["result"] == {"reloaded": False}
    assert server.good().served and other.counter("jwks_hits") == 0


def test_silent_key_server(own_lab: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://api.apic.test:{silent.getsockname()[1]}/api/cloud/oauth2/certs"
        server = own_lab.start("portal", "jwt", {"jwksUrl": url})
        assert server.good().reason == "keys-unavailable"


def test_clock_moves_tokens_and_client_certificates(own_lab: Deployment) -> None:
    mtls, jwt_server = own_lab.start("portal", "mtls"), own_lab.start("portal", "jwt")
    token = own_lab.token()
    assert jwt_server.good(token=token).served and mtls.good().served
    own_lab.process.do("clock", offset=3600)
    assert jwt_server.good(token=token).reason == "token-expired" and mtls.good().served
    own_lab.process.do("clock", offset=3 * YEAR)
    assert mtls.good().reason == "certificate-validity"
    own_lab.process.do("clock", offset=-10 * DAY)
    assert mtls.good().reason == "certificate-validity"
    assert jwt_server.good(token=token).reason == "keys-unavailable"  # the key server's certificate is not valid yet
    own_lab.process.do("clock", offset=-1800)
    assert mtls.good().served and jwt_server.good(token=token).reason == "token-not-yet-valid"
    own_lab.process.do("clock", offset=0)
    assert mtls.good().served and jwt_server.good(token=token).served


def act(lab: Deployment, management: Server, action: str, server: Server, nonce: str, host: str = "") -> dict[str, Any]:
    """Have management make a request."""
    target = {"url": f"https://{host or HOST[server.kind]}:{server.port}", "connect": "127.0.0.1"}
    return lab.process.do("act", instance=management.id, action=action, target=target, nonce=nonce)


@pytest.mark.parametrize(
    ("kind", "action", "status"),
    [("portal", "register-portal", 201), ("analytics", "publish-event", 202), ("api-gateway", "publish-api", 201)],
)
@pytest.mark.parametrize("posture", ["default", "jwt", "both"])
def test_management_as_client(
    own_lab: Deployment, management: Server, kind: str, action: str, status: int, posture: str
) -> None:
    server = own_lab.start(kind, posture)
    answer = act(own_lab, management, action, server, "made-by-management")
    assert (answer["status"], answer["error"]) == (status, "")
    assert server.effects() == ["made-by-management"]
    (request,) = own_lab.process.connection(server.port, answer["local_port"])["requests"]
    assert request["nonce"] == "made-by-management" and request["token"]["header"]["kid"] == own_lab.pki.kid


def test_management_refuses_a_server_it_cannot_verify(own_lab: Deployment, management: Server) -> None:
    server = own_lab.start("portal", "jwt")
    wrong_host = act(own_lab, management, "register-portal", server, "n1", host="other.apic.test")
    assert wrong_host["status"] is None and "other.apic.test" in wrong_host["error"]
    own_lab.process.do("clock", offset=3 * YEAR)
    expired = act(own_lab, management, "register-portal", server, "n2")
    assert expired["status"] is None and "expired" in expired["error"]
    for answer in (wrong_host, expired):
        assert own_lab.process.connection(server.port, answer["local_port"])["requests"] == []
    assert server.effects() == []
    server.stop()
    gone = act(own_lab, management, "register-portal", server, "n3")
    assert gone["status"] is None and "refused" in gone["error"]
    order = {"instance": own_lab.start("portal").id, "action": "x", "target": {"url": ""}, "nonce": ""}
    assert "unknown action" in own_lab.process.ask("act", **order)["error"]
    assert "target.url is missing" in own_lab.process.ask("act", **{**order, "target": {}})["error"]
