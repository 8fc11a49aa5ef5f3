"""The edge gateway and the identity provider it asks, without a socket: what it lets in, what it asks of whom."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import yaml

from harness.model.vocabulary import Reason
from harness.pki.deployment import Pki
from harness.subsystems.microservices.edge_gateway import EdgeGate, EdgeGateway
from harness.subsystems.microservices.identity_provider import IdentityProvider, Provider
from harness.subsystems.microservices.oauth import (
    INTROSPECTION_PATH,
    KEYS_PATH,
    REVOCATION_PATH,
    TOKEN_PATH,
    basic,
    client_secret,
)
from harness.subsystems.server.client import Call, CallFailed, Reply, Trust
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.jwks import Keys, parse_keys
from harness.subsystems.server.kind import Making
from harness.subsystems.server.policy import Protection, ServerPolicy
from harness.subsystems.server.rejection import Rejected

LOGIN = "https://login.example.test"
CLIENTS = {name: f"{name}-client" for name in ("web-shop", "mobile-app", "edge-gateway")}
PROVIDER = Provider(
    LOGIN, "identity-provider", "gateway.test", CLIENTS, frozenset({"mobile-app"}), {"peter": "right", "mary": "right"}
)
UPSTREAMS = {name: f"https://{name}.test" for name in ("identity-provider", "sts", "order-processing")}


@dataclass
class Behind:
    """What stands behind the gateway: the provider itself, an STS and a service that take everything."""

    provider: IdentityProvider
    calls: list[Call] = field(default_factory=list)
    sts_status: int = 200
    down: bool = False

    async def __call__(self, request: Call, _trust: Trust) -> Reply:
        self.calls.append(request)
        if self.down:
            raise CallFailed("refused")
        if request.url.startswith("https://identity-provider.test"):
            authorization = (request.headers["Authorization"].encode(),)
            path = request.url.removeprefix("https://identity-provider.test")
            answer = self.provider.act(HttpRequest("POST", path, b"", authorization, "", request.body))
            return Reply(answer.status, json.dumps(answer.body).encode(), None)
        if request.url.startswith("https://sts.test"):
            form = dict(parse_qsl(request.body.decode()))
            return Reply(
                self.sts_status, json.dumps({"access_token": f"inner of {form['subject_token']}"}).encode(), None
            )
        return Reply(201, b"{}", None)

    @property
    def asked(self) -> list[str]:
        return [request.url.split("/")[2].split(".")[0] for request in self.calls]


class Edge:
    """A gateway with what stands behind it."""

    def __init__(self, pki: Pki, folder: Path, home: Path, *slips: str) -> None:
        config = home / "edge.yaml"
        spec = {"issuer": LOGIN, "audience": "gateway.test", "upstreams": UPSTREAMS}
        config.write_text(yaml.safe_dump({"spec": spec}), "utf-8")
        rules, self.clock = ServerPolicy(slips=frozenset(slips)), LabClock()
        self._folder = folder
        self.provider = IdentityProvider(Making(folder, Counter(), rules, config, LabClock()), PROVIDER)
        self.behind = Behind(self.provider)
        self.gateway = EdgeGateway(Making(folder, Counter(), rules, config, self.clock))
        self.gateway.connect(self.behind, {})
        protection = Protection(False, "https://keys.test", issuer=LOGIN, audience="gateway.test")
        self._gate = EdgeGate(protection, None, rules, self._keys, self.clock.now, self.gateway)

    async def _keys(self, _kid: str | None) -> Keys:
        return parse_keys(bytes(self.ask("GET", KEYS_PATH).body))

    def ask(self, method: str, path: str, client: str = "", **form: str) -> Any:
        secret = client_secret(self._folder, CLIENTS[client]) if client in CLIENTS else "wrong"
        authorization = (basic(client, secret).encode(),) if client else ()
        return self.provider.act(HttpRequest(method, path, b"", authorization, "", urlencode(form).encode()))

    def token(self, client: str, user: str = "peter", **form: str) -> str:
        answer = self.ask("POST", TOKEN_PATH, client, grant_type="password", username=user, password="right", **form)
        return str(answer.body["access_token"])

    def call(self, token: str) -> str:
        """Why the request is turned away, '' if it is passed on."""
        request = HttpRequest("PUT", "/orders/x", b"", (f"Bearer {token}".encode(),) if token else (), "fp-1", b"{}")

        async def admitted() -> None:
            await self._gate.admit(request, None)
            await self.gateway.answer(request)

        try:
            asyncio.run(admitted())
        except Rejected as rejected:
            return rejected.reason
        return ""


@pytest.fixture
def edge(pki: Pki, deployment: Path, tmp_path: Path) -> Edge:
    return Edge(pki, deployment, tmp_path)


@pytest.mark.parametrize(
    ("client", "asked"),
    [
        ("web-shop", ["sts", "order-processing"]),
        ("mobile-app", ["identity-provider", "sts", "order-processing"]),
    ],
)
def test_the_service_gets_the_token_of_the_sts(edge: Edge, client: str, asked: list[str]) -> None:
    outer = edge.token(client)
    assert edge.call(outer) == ""
    assert edge.behind.asked == asked
    assert edge.behind.calls[-1].headers["Authorization"] == f"Bearer inner of {outer}"
    assert edge.gateway.effects() == ["x"]


def test_an_introspection_is_kept_for_a_minute_and_never_beyond_exp(edge: Edge) -> None:
    outer = edge.token("mobile-app")
    assert [edge.call(outer), edge.call(outer)] == ["", ""]
    assert edge.behind.asked.count("identity-provider") == 1
    edge.clock.offset = 61
    assert edge.call(outer) == ""
    assert edge.behind.asked.count("identity-provider") == 2
    edge.clock.offset = 301
    assert edge.call(outer) == Reason.TOKEN_CLAIMS


def test_what_is_revoked_or_for_somebody_else_or_unknown_is_refused_before_anybody_else_is_asked(edge: Edge) -> None:
    revoked, elsewhere = edge.token("mobile-app"), edge.token("mobile-app", resource="shop.test")
    assert edge.ask("POST", REVOCATION_PATH, "mobile-app", token=revoked).status == 200
    assert [edge.call(token) for token in (revoked, elsewhere, "unknown")] == [Reason.TOKEN_CLAIMS] * 3
    assert edge.call("") == Reason.TOKEN_MISSING
    assert set(edge.behind.asked) == {"identity-provider"}


def test_a_client_revokes_no_token_of_another(edge: Edge) -> None:
    outer = edge.token("mobile-app")
    assert edge.ask("POST", REVOCATION_PATH, "web-shop", token=outer).status == 200
    assert edge.call(outer) == ""


def test_where_nobody_answers_nothing_is_let_in(edge: Edge) -> None:
    outer, reference = edge.token("web-shop"), edge.token("mobile-app")
    edge.behind.down = True
    assert [edge.call(outer), edge.call(reference)] == [Reason.KEYS_UNAVAILABLE] * 2
    edge.behind.down, edge.behind.sts_status = False, 400
    assert edge.call(outer) == Reason.TOKEN_CLAIMS


@pytest.mark.parametrize("client", ["", "nobody", "stranger"])
def test_who_does_not_authenticate_gets_no_token_and_learns_nothing_of_one(edge: Edge, client: str) -> None:
    outer = edge.token("mobile-app")
    assert edge.ask("POST", INTROSPECTION_PATH, client, token=outer).status == 401
    password = {"grant_type": "password", "username": "peter", "password": "right"}
    assert edge.ask("POST", TOKEN_PATH, client, **password).status == 401


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": "wrong"}, "invalid_grant"),
        ({"username": "nobody"}, "invalid_grant"),
        ({"username": "nobody", "password": ""}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
)
def test_no_token_without_the_users_password(edge: Edge, change: dict[str, str], error: str) -> None:
    form = {"grant_type": "password", "username": "peter", "password": "right", **change}
    answer = edge.ask("POST", TOKEN_PATH, "web-shop", **form)
    assert (answer.status, answer.body["error"]) == (400, error)


@pytest.mark.parametrize(
    ("slip", "let_in"),
    [
        ("", []),
        ("edge-takes-inactive-tokens", ["revoked"]),
        ("idp-forgets-revocations", ["revoked"]),
        ("edge-ignores-introspected-audience", ["elsewhere"]),
    ],
)
def test_each_mistake_leaves_one_decision_out(
    pki: Pki, deployment: Path, tmp_path: Path, slip: str, let_in: list[str]
) -> None:
    edge = Edge(pki, deployment, tmp_path, slip)
    made = {"revoked": edge.token("mobile-app"), "elsewhere": edge.token("mobile-app", resource="shop.test")}
    edge.ask("POST", REVOCATION_PATH, "mobile-app", token=made["revoked"])
    assert [name for name, token in made.items() if edge.call(token) == ""] == let_in


def test_a_shared_inner_token_is_another_users(pki: Pki, deployment: Path, tmp_path: Path) -> None:
    edge = Edge(pki, deployment, tmp_path, "edge-shares-inner-token")
    first, second = edge.token("web-shop"), edge.token("web-shop", "mary")
    assert [edge.call(first), edge.call(second)] == ["", ""]
    assert edge.behind.calls[-1].headers["Authorization"] == f"Bearer inner of {first}"
