"""An auditor's look at evidence: what a service has kept of a call, and what it says of a token that it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from harness.model.exchange import ClientView
from harness.model.script_facts import EvidenceSeen

Ask = Callable[[str, str, str], ClientView]
"""``(method, path, body)`` -> what came of the request."""


def kept(ask: Ask, path: str, sent: str, key: object) -> EvidenceSeen:
    """What the service has kept at *path* of a call with the token *sent*, signed with *key*; verified here again."""
    client = ask("GET", path, "")
    evidence = _members(client).get("evidence")
    text = evidence if isinstance(evidence, str) else ""
    return EvidenceSeen(_status(client), _ended(client), same=text == sent, signed=_signed(text, key))


def said(ask: Ask, path: str, shown: str) -> EvidenceSeen:
    """What the service says of the token *shown*."""
    client = ask("POST", path, json.dumps({"token": shown}))
    answer = _members(client).get("signed")
    return EvidenceSeen(_status(client), _ended(client), signed=answer if isinstance(answer, bool) else None)


def _signed(text: str, key: object) -> bool:
    """Whether *key* has signed *text*; that it has expired since is no matter."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return False
    try:
        jwt.api_jws.decode(text, key=key.public_key(), algorithms=["ES256"])
    except jwt.PyJWTError:
        return False
    return True


def _members(client: ClientView) -> Mapping[str, Any]:
    try:
        found = json.loads(client.response.body) if client.response else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def _status(client: ClientView) -> int | None:
    return client.response.status if client.response else None


def _ended(client: ClientView) -> str:
    return client.alert or client.fault
