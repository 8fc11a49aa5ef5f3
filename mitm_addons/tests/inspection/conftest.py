"""A session of one flow with a key of its own, and exchanges to show it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow

from harness.model.inspection import ExpectedForm, RequirementForm, SessionForm
from mitm_addons.inspection import session
from mitm_addons.inspection.session import Session

KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
Exchange = Callable[..., HTTPFlow]


def token(key: Any = KEY, kid: str | None = "k1", algorithm: str = "RS256", **changes: Any) -> str:
    claims = {"iss": "issuer", "aud": "ours", "sub": "s", "exp": time.time() + 3_600, **changes}
    claims = {name: value for name, value in claims.items() if value is not ...}
    secret: Any = key if algorithm.startswith("RS") else None if algorithm == "none" else "x" * 40
    return jwt.encode(claims, secret, algorithm, headers={"kid": kid} if kid else None)


def expected_form(check: str, requirement: str) -> ExpectedForm:
    row: RequirementForm = {
        "id": requirement, "area": "flows", "text": f"text of {requirement}", "why": "because", "level": "MUST",
        "source": ["A document", "1"], "basis": "document",
    }  # fmt: skip
    return {"check": check, "requirement": row, "case": f"flows/{requirement}/a-to-b/jwt/terminating/x"}


def data() -> SessionForm:
    public = {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "k1", "alg": "RS256", "use": "sig"}
    bad = ("str-no-token", "sig-wrong-key", "exp-past", "alg-none", "str-opaque", "kid-unknown")
    server = {"name": "b", "kind": "B", "endpoint": "e", "host": "b.test", "secret": "s", "subject": "",
              "postures": ["mtls", "jwt"], "default": "mtls"}  # fmt: skip
    flow = {"name": "a-to-b", "client": "a", "server": server, "client_secret": "", "method": "PUT",
            "path": "/things/{nonce}", "body": "", "success": 201, "effect": "a thing"}  # fmt: skip
    expected = {
        "good": expected_form("served", "FLW-4"),
        **{name: expected_form("token-refused", "JWT-3") for name in bad},
    }
    return {
        "flow": flow, "posture": "jwt", "expected": expected, "classes": {name: ["token-missing"] for name in bad},
        "upstream": {"host": "127.0.0.1", "port": 1, "server_name": "b.test", "ca": ""}, "certificate": "",
        "token": {"keys": {"keys": [public]}, "algorithms": ["RS256"], "issuer": "issuer", "audience": ["ours"]},
        "dialect": {"name": "x", "certificate_statuses": [401, 403], "token_statuses": [401]},
        "as_client": False, "target": "",
    }  # fmt: skip


@pytest.fixture
def known() -> Session:
    return session.from_json(data())


@pytest.fixture
def exchange() -> Exchange:
    def made(
        authorization: str | None = None, status: int = 201, body: bytes = b"{}", path: str = "/things/1"
    ) -> HTTPFlow:
        flow = tflow.tflow(resp=True)
        flow.request.method, flow.request.path, flow.request.content = "PUT", path, body
        if authorization is not None:
            flow.request.headers["authorization"] = authorization
        assert flow.response is not None
        flow.response.status_code = status
        flow.live = True
        return flow

    return made
