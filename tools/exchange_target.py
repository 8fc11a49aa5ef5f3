"""A target file for the lab's token service and the services behind it, which then are judged as somebody else's."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import jwt

from harness.lab import Entrypoint
from harness.lab.reference import ReferenceLab
from harness.model.case import Setup
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.pki.deployment import key_id

ISSUER, CLIENT = "https://sts.ecomm.test", "order-processing"
SERVICES = ("order-processing", "inventory", "finance")


def own_token(lab: ReferenceLab, *, age: int = 0, **claims: Any) -> str:
    """A token of the token service for the client that exchanges it, issued *age* seconds ago."""
    key: Any = lab.pki.issuer_keys["sts"]
    now = int(time.time()) - age
    said = {"iss": ISSUER, "aud": "op.ecomm.test", "sub": "peter", "iat": now, "exp": now + 300, **claims}
    return jwt.encode(said, key, algorithm="RS256", headers={"kid": key_id(key.public_key())})


def setups(fault: str) -> dict[str, Setup]:
    """What runs for it, by name: the token service and the services, with *fault* where it applies."""
    postures = {"sts": Posture.TLS_ONLY, **dict.fromkeys(SERVICES, Posture.JWT)}
    return {name: Setup(name, posture, FlowPath.DIRECT, fault) for name, posture in postures.items()}


def exchange_target(lab: ReferenceLab, folder: Path, fault: str = "", **sts: Any) -> dict[str, Any]:
    """The target file, with its secrets in *folder*; *sts* are entries of that section that differ, None leaves out."""
    found = lab.open(setups(fault).values())
    servers = {name: found[setup] for name, setup in setups(fault).items()}
    addresses = {name: item.address for name, item in servers.items() if isinstance(item, Entrypoint)}
    key = (lab.secrets / f"{CLIENT}-client" / "tls.key").read_bytes()
    ca = {name: str(lab.secrets / name / "ca.crt") for name in servers}
    url = {name: f"https://{at.server_name}:{at.port}" for name, at in addresses.items()}
    connect = {name: f"{at.host}:{at.port}" for name, at in addresses.items()}
    put = {"method": "PUT", "path": "/orders/{nonce}", "body": '{"name": "{nonce}"}', "success": 201}
    usual = {
        "token_endpoint": f"{url['sts']}/oauth2/token",
        "connect": connect["sts"],
        "ca": ca["sts"],
        "client": {"id": CLIENT, "secret": _written(folder, "secret", hashlib.sha256(key).hexdigest())},
        "subject_token": {"captured": _written(folder, "own", own_token(lab))},
        "expired_subject_token": _written(folder, "expired", own_token(lab, age=900)),
        "audiences": {"iv.ecomm.test": "inventory"},
        "refused_audiences": ["fn.ecomm.test"],
        "actor": CLIENT,
    }
    return {
        "product": {"name": "shop"},
        "environment": "lab",
        "rate": 1000,
        "servers": {
            name: {"url": url[name], "connect": connect[name], "ca": ca[name], "posture": "jwt", "request": put}
            for name in SERVICES
        },
        "sts": {name: value for name, value in {**usual, **sts}.items() if value is not None},
    }


def _written(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text, "utf-8")
    return str(file)
