"""What API Connect's documents forbid of an endpoint that a target file declares; connects to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.model.vocabulary import Posture
from harness.products.product import Declared

_JWT_SINCE = {"api-gateway-to-analytics": (10, 0, 5, 4)}
_OTHERS_SINCE = (10, 0, 5, 3)
_NO_JWT = {
    "v5c-gateway-to-analytics": ("CFG-6", "which sends no JWT"),
    "event-gateway-to-analytics": ("CFG-7", "whose mTLS cannot be turned off"),
}
_NEEDS_ONE = frozenset({"management-to-portal", "management-to-analytics", "api-gateway-to-analytics", *_NO_JWT})
_JWT_POSTURES = (Posture.JWT, Posture.BOTH)


def contradictions(version: str, endpoint: Declared) -> Iterator[str]:
    """Every rule that *endpoint* breaks, in words; *version* is the product's, '' where the file names none."""
    name, posture = endpoint.name, endpoint.posture
    if posture in (Posture.JWT, Posture.TLS_ONLY):
        for flow in (flow for flow in endpoint.flows if flow in _NO_JWT):
            rule, why = _NO_JWT[flow]
            yield f"{rule}: servers.{name} has mTLS off ({posture}), but {flow} ends there, {why}: use mtls or both"
    if posture is Posture.JWT and "management-to-event-gateway" in endpoint.flows:
        yield f"servers.{name}: no JWT alternative is documented for management-to-event-gateway (FLW-1): use mtls"
    if posture is Posture.TLS_ONLY and _NEEDS_ONE & set(endpoint.flows):
        yield f"CFG-1: servers.{name}: mTLS and JWT cannot both be off (posture tls-only)"
    if posture in _JWT_POSTURES and re.fullmatch(r"\d+(\.\d+)+", version):
        yield from _too_old(version, endpoint)


def _too_old(version: str, endpoint: Declared) -> Iterator[str]:
    have = tuple(int(part) for part in version.split("."))
    for flow in endpoint.flows:
        since = _JWT_SINCE.get(flow, _OTHERS_SINCE)
        if have < since:
            needed = ".".join(map(str, since))
            yield f"CFG-8: JWT on {flow} needs {needed} or later, product.version is {version}"
