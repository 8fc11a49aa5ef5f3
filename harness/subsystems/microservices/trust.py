"""A service's trust configuration: the form of its callers' tokens, and the keys that verify them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.errors import UsageError
from harness.subsystems.server.certificates import certificates, read_file
from harness.subsystems.server.configuration import Refused
from harness.subsystems.server.kind import Making

LIFETIME = 600
SHARED_KEYS = "service-lets-callers-share-a-key"


class Form(StrEnum):
    """The form of token that a service accepts.

    ``bearer`` is one of the STS.  ``self-issued`` is signed by the caller.  In ``nested-claim`` the caller's token has
    the user's in a claim, in ``nested-jwt`` it has it as its payload (``cty: JWT``, RFC 7519 section 5.2).
    ``encrypted`` is the caller's token, encrypted to the service (RFC 7519 section 11.2).
    """

    BEARER = "bearer"
    SELF_ISSUED = "self-issued"
    NESTED_CLAIM = "nested-claim"
    NESTED_JWT = "nested-jwt"
    ENCRYPTED = "encrypted"


@dataclass(frozen=True)
class Trust:
    """``callers`` are the public keys of permitted callers, by issuer; ``key`` decrypts.

    ``binds``: a token must be bound to the client's certificate (RFC 8705).  ``users`` and ``actors`` are the permitted
    values of ``sub`` and ``act.sub`` (empty: any).  ``lifetime`` is the longest a caller's token may live, in seconds.
    """

    form: Form = Form.BEARER
    callers: Mapping[str, ec.EllipticCurvePublicKey] = field(default_factory=dict)
    key: ec.EllipticCurvePrivateKey | None = None
    audience: str = ""
    binds: bool = False
    users: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()
    lifetime: int = LIFETIME

    @property
    def usual(self) -> bool:
        """Whether the service only verifies tokens of its STS."""
        return self.form is Form.BEARER and not (self.binds or self.users or self.actors)


def read(making: Making) -> Trust:
    """The trust configuration of *making*; raises Refused for a contradictory one."""
    spec = yaml.safe_load(making.config.read_text("utf-8"))["spec"]
    form = Form(spec.get("tokenForm", Form.BEARER))
    secret = spec["endpoint"]["hosts"][0]["secretName"]
    callers = {name: _public(making.folder, held) for name, held in spec.get("callers", {}).items()}
    if form is Form.ENCRYPTED:
        import_module("jwcrypto.jwe")  # here: a missing package must not look like a refused token
    if SHARED_KEYS not in making.rules.slips:
        _distinct(callers, making.config)
    return Trust(
        form=form,
        callers=callers,
        key=_private(making.folder, secret) if form is Form.ENCRYPTED else None,
        audience=str(spec.get("audience", "")),
        binds=bool(spec.get("boundTokens", False)),
        users=frozenset(spec.get("users", ())),
        actors=frozenset(spec.get("actors", ())),
        lifetime=int(spec.get("maxTokenLifetime", LIFETIME)),
    )


def _distinct(callers: Mapping[str, ec.EllipticCurvePublicKey], file: Path) -> None:
    for one, other in combinations(callers, 2):
        if callers[one] == callers[other]:
            raise Refused(
                f"spec.callers: {one} and {other} have the same key, so their signatures cannot be told apart",
                where=str(file),
                hint="give each caller a key pair of its own",
            )


def _public(folder: Path, secret: str) -> ec.EllipticCurvePublicKey:
    leaf = certificates(read_file(folder / "secrets" / secret / "tls.crt"), "its tls.crt")[0]
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise UsageError(f"the key of {secret} is not an elliptic-curve key")
    return key


def _private(folder: Path, secret: str) -> ec.EllipticCurvePrivateKey:
    key: Any = load_pem_private_key(read_file(folder / "secrets" / secret / "tls.key"), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UsageError(f"the key of {secret} is not an elliptic-curve key")
    return key
