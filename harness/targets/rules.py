"""What a target file must not say: rules of the documentation that a configuration can break before anything runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from harness.errors import UsageError
from harness.model.vocabulary import Path, Posture
from harness.targets.file import Endpoint, TargetFile

# Client -> endpoint of every documented flow, those without cases yet included.
ENDPOINTS = {
    "management-to-portal": "portal",
    "management-to-analytics": "analytics",
    "api-gateway-to-analytics": "analytics",
    "v5c-gateway-to-analytics": "analytics",
    "event-gateway-to-analytics": "analytics",
    "management-to-api-gateway": "api-gateway",
    "management-to-v5c-gateway": "v5c-gateway",
    "management-to-event-gateway": "event-gateway",
}
_JWT_SINCE = {"api-gateway-to-analytics": (10, 0, 5, 4)}
_OTHERS_SINCE = (10, 0, 5, 3)


def mistakes(target: TargetFile, known: Collection[str]) -> Iterator[UsageError]:
    """Every contradiction; *known* are the flows that the catalogue has."""
    for text in contradictions(target, known):
        yield UsageError(text, where=str(target.file), hint="hopproof explain names a rule's source")


def contradictions(target: TargetFile, known: Collection[str]) -> Iterator[str]:
    """Every contradiction in words, each with the rule it breaks."""
    yield from _twice(target)
    for endpoint in target.endpoints.values():
        yield from _unknown(endpoint, known)
        yield from _postures(endpoint)
        yield from _balanced(endpoint)
        yield from _versions(target, endpoint)
    if target.environment == "production" and "jwks" in target.tokens:
        yield "tokens.jwks: with it a key of ours would sign for production; use command, endpoint or captured"
    clients = [item.client for item in target.endpoints.values() if item.client]
    if target.environment == "production" and any(client.ca_key or client.other_ca_key for client in clients):
        yield "client.ca_key: a production CA's key has no place here; what needs it stays unobserved"


def _twice(target: TargetFile) -> Iterator[str]:
    observed: dict[str, str] = {}
    for endpoint in target.endpoints.values():
        for location in {ENDPOINTS[flow] for flow in endpoint.flows if flow in ENDPOINTS}:
            if location in observed and observed[location] != endpoint.name:
                yield (
                    f"servers.{observed[location]} and servers.{endpoint.name} are both the {location} endpoint: "
                    "it has one posture, so it stands here once, with all flows that end there"
                )
            observed[location] = endpoint.name
    flows = [flow for endpoint in target.endpoints.values() for flow in endpoint.flows]
    for flow in sorted({flow for flow in flows if flows.count(flow) > 1}):
        yield f"the flow {flow} stands at two endpoints; a flow ends at one"


def _unknown(endpoint: Endpoint, known: Collection[str]) -> Iterator[str]:
    for flow in endpoint.flows:
        if flow not in known and flow not in ENDPOINTS:
            names = ", ".join(sorted({*known, *ENDPOINTS}))
            yield f"servers.{endpoint.name}.flows: unknown flow {flow!r}; one of: {names}; none for another service"
    places = {ENDPOINTS[flow] for flow in endpoint.flows if flow in ENDPOINTS}
    if len(places) > 1:
        yield f"servers.{endpoint.name}.flows end at different endpoints ({', '.join(sorted(places))})"


def _postures(endpoint: Endpoint) -> Iterator[str]:
    name, posture = endpoint.name, endpoint.posture
    mtls_off = posture in (Posture.JWT, Posture.TLS_ONLY)
    if mtls_off and "v5c-gateway-to-analytics" in endpoint.flows:
        yield (
            f"CFG-6: servers.{name} has mTLS off ({posture}), but v5c-gateway-to-analytics ends there, which "
            "sends no JWT: use mtls or both"
        )
    if mtls_off and "event-gateway-to-analytics" in endpoint.flows:
        yield (
            f"CFG-7: servers.{name} has mTLS off ({posture}), but event-gateway-to-analytics ends there, whose mTLS "
            "cannot be turned off: use mtls or both"
        )
    if posture is Posture.JWT and "management-to-event-gateway" in endpoint.flows:
        yield f"servers.{name}: no JWT alternative is documented for management-to-event-gateway (FLW-1): use mtls"
    if posture is Posture.TLS_ONLY and {ENDPOINTS.get(flow) for flow in endpoint.flows} & {"portal", "analytics"}:
        yield f"CFG-1: servers.{name}: mTLS and JWT cannot both be off (posture tls-only)"
    if posture is Posture.DEFAULT and endpoint.generic:
        yield f"servers.{name}: posture default means a documented product's default; say mtls, jwt, both or tls-only"


def _balanced(endpoint: Endpoint) -> Iterator[str]:
    if endpoint.path is Path.TERMINATING and endpoint.posture is Posture.MTLS:
        yield (
            f"FLW-3: servers.{endpoint.name} is in posture mtls behind a balancer that terminates TLS: the client's "
            "certificate ends there and no server behind it sees it, so nothing of it can be judged; the flow needs "
            "path: passthrough, or JWT (if the balancer itself verifies clients, judge it as a server of its own, "
            "path: direct; hopproof target probe URL shows what it asks for)"
        )
    if endpoint.path is not Path.PASSTHROUGH and endpoint.certificate_sha256:
        yield f"servers.{endpoint.name}: certificate_sha256 is for path: passthrough, but path is {endpoint.path}"


def _versions(target: TargetFile, endpoint: Endpoint) -> Iterator[str]:
    if "api connect" not in target.product.lower() or endpoint.posture not in (Posture.JWT, Posture.BOTH):
        return
    if not re.fullmatch(r"\d+(\.\d+)+", target.version):
        return
    version = tuple(int(part) for part in target.version.split("."))
    for flow in endpoint.flows:
        since = _JWT_SINCE.get(flow, _OTHERS_SINCE)
        if version < since:
            requested = ".".join(map(str, since))
            yield f"CFG-8: JWT on {flow} needs {requested} or later, product.version is {target.version}"
