"""What a target file must not say: rules of the documentation that a configuration can break before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.errors import UsageError
from harness.model.catalogue import Flow
from harness.model.vocabulary import Path, Posture
from harness.products.registry import product
from harness.targets import gateways, sts
from harness.targets.file import Endpoint, TargetFile

SERVICE = "service"
"""The kind of a target outside the documented products: any JWT or mTLS service."""


def mistakes(target: TargetFile, flows: Mapping[str, Flow]) -> Iterator[UsageError]:
    """Every contradiction; *flows* are those of the catalogue.  Raises UsageError for an unknown product."""
    for text in contradictions(target, flows):
        yield UsageError(text, where=str(target.file), hint="hopproof explain shows the source of a rule")


def contradictions(target: TargetFile, flows: Mapping[str, Flow]) -> Iterator[str]:
    """Every contradiction in words, each with the rule it breaks."""
    yield from _kinds(target, flows)
    yield from gateways.mistakes(target, flows)
    yield from _twice(target, flows)
    for endpoint in target.endpoints.values():
        yield from _unknown(endpoint, flows)
        yield from _postures(target, endpoint, flows)
        yield from _balanced(endpoint)
    if target.environment == "production" and "jwks" in target.tokens:
        yield "tokens.jwks: production would trust Hopproof's key; use command, endpoint or captured"
    if target.sts is not None:
        yield from sts.contradictions(target.sts)
    clients = [item.client for item in target.endpoints.values() if item.client]
    if target.environment == "production" and any(client.ca_key or client.other_ca_key for client in clients):
        yield "client.ca_key: a production CA's key does not belong here; the cases that need it stay unobserved"


def _twice(target: TargetFile, known: Mapping[str, Flow]) -> Iterator[str]:
    observed: dict[str, str] = {}
    for endpoint in target.endpoints.values():
        for location in _ends(endpoint, known):
            if location in observed and observed[location] != endpoint.name:
                yield (
                    f"servers.{observed[location]} and servers.{endpoint.name} are both the {location} endpoint: "
                    "it has one posture, so list it once, with all flows to it"
                )
            observed[location] = endpoint.name
    flows = [flow for endpoint in target.endpoints.values() for flow in endpoint.flows]
    for flow in sorted({flow for flow in flows if flows.count(flow) > 1}):
        yield f"the flow {flow} is listed at two endpoints; a flow ends at one"


def _ends(endpoint: Endpoint, known: Mapping[str, Flow]) -> set[str]:
    """The documented servers at which *endpoint*'s flows end."""
    return {known[flow].server.name for flow in endpoint.flows if flow in known}


def _unknown(endpoint: Endpoint, known: Mapping[str, Flow]) -> Iterator[str]:
    for flow in endpoint.flows:
        if flow not in known:
            names = ", ".join(sorted(known))
            yield (
                f"servers.{endpoint.name}.flows: unknown flow {flow!r}; one of: {names}; leave "
                "flows out for any other service"
            )
    places = _ends(endpoint, known)
    if len(places) > 1:
        yield f"servers.{endpoint.name}.flows end at different endpoints ({', '.join(sorted(places))})"


def _postures(target: TargetFile, endpoint: Endpoint, flows: Mapping[str, Flow]) -> Iterator[str]:
    if endpoint.posture is Posture.DEFAULT and endpoint.generic:
        yield (
            f"servers.{endpoint.name}: posture default means a documented product's default; use mtls, jwt, both or "
            "tls-only"
        )
    for name in {flows[flow].server.product for flow in endpoint.flows if flow in flows}:
        version = target.version if target.kind in ("", name) else ""
        yield from product(name).contradictions(version, endpoint)


def _kinds(target: TargetFile, flows: Mapping[str, Flow]) -> Iterator[str]:
    """A target file may name its product; what it says of its flows must then be that product's."""
    known = "" if target.kind in ("", SERVICE) else product(target.kind).name
    for endpoint in target.endpoints.values():
        for flow in endpoint.flows:
            owner = flows[flow].server.product if flow in flows else known
            if target.kind and owner != known:
                yield f"servers.{endpoint.name}.flows: {flow} is a flow of {owner}, but product.kind is {target.kind}"


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
