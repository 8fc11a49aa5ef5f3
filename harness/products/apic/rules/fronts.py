"""What stands in front of a subsystem: Routes of OpenShift, Ingresses of Kubernetes.  FLW-0 and FLW-3.

The documents ask for TLS passthrough on every mTLS flow, and for TLS on every other.  A Route says itself what it does
with TLS.  An Ingress leaves it to its controller: where neither its class (ingress-nginx) nor an annotation tells, it
is left undecided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.model.patch import Operation, patch, put, take_out
from harness.model.resource import Resource
from harness.products.apic.rules.certificates import CA
from harness.products.apic.rules.view import (
    ANALYTICS,
    DEVPORTAL,
    GATEWAY,
    MANAGEMENT,
    PORTAL,
    SWITCH,
    Subsystem,
    View,
    placeholder,
)
from harness.products.rules import Log, Place

_ENDPOINTS = {
    PORTAL: (("portalAdminEndpoint",),),
    DEVPORTAL: (("devportalAdminEndpoint",),),
    ANALYTICS: (("ingestion", "endpoint"),),
    GATEWAY: (("gatewayManagerEndpoint",),),
    MANAGEMENT: (("platformAPIEndpoint",), ("consumerAPIEndpoint",)),
}
"""The endpoints between subsystems; management's are for REST calls, which never use mTLS."""
_SECRETS = {
    PORTAL: ("portal-admin",),
    DEVPORTAL: ("devportal-admin",),
    ANALYTICS: ("analytics-ai-endpoint",),
    GATEWAY: ("gwv6-manager-endpoint",),
    MANAGEMENT: ("api-endpoint", "consumer-endpoint"),
}
_NGINX, _SWITCHES = "nginx.ingress.kubernetes.io", "/ssl-passthrough"
_PASSTHROUGH, _PROTOCOL = f"{_NGINX}{_SWITCHES}", f"{_NGINX}/backend-protocol"
_OF_THE_ROUTER = ("certificate", "key", "caCertificate", "destinationCACertificate")
_TLS = ("spec", "tls")
_EDGE, _REENCRYPT, _PASSED = "edge", "reencrypt", "passthrough"


@dataclass(frozen=True)
class Front:
    """A Route or an Ingress in front of the endpoint *host* of *server*."""

    resource: Resource
    server: Subsystem
    host: str

    @property
    def is_route(self) -> bool:
        """Whether it is OpenShift's."""
        return self.resource.kind == "Route"

    @property
    def what(self) -> str:
        """What a person calls the endpoint."""
        return f"{self.host}, the endpoint of {self.server.title}"

    @property
    def termination(self) -> str:
        """What a Route does with TLS: '' where it has none."""
        return self.resource.root.text(*_TLS, "termination").lower()

    @property
    def controller(self) -> str:
        """The class of an Ingress: which controller serves it, '' where it does not say."""
        root = self.resource.root
        return root.text("spec", "ingressClassName") or self.annotation("kubernetes.io/ingress.class")

    @property
    def of_nginx(self) -> bool:
        """Whether its controller is ingress-nginx, by its name."""
        return "nginx" in self.controller.split("-")

    def annotation(self, name: str) -> str:
        """An annotation, as a text."""
        written = self.resource.root.at("metadata", "annotations", name)
        return "" if written is None or written.value is None else str(written.value).strip().lower()

    def passes(self) -> bool | None:
        """Whether TLS reaches the subsystem as the client sent it; None where it cannot be told."""
        if self.is_route:
            return {_PASSED: True, _EDGE: False, _REENCRYPT: False}.get(self.termination)
        for name in self.switches():
            whose = not self.controller or any(part in name for part in self.controller.split("-") if part)
            if whose and (value := self.annotation(name)) in ("true", "false"):
                return value == "true"
        return False if self.of_nginx else None

    def switches(self) -> list[str]:
        """The annotations that ask a controller to pass TLS through, whatever they say."""
        return [name for name in self.resource.root.fields("metadata", "annotations") if name.endswith(_SWITCHES)]

    def at(self, *path: str | int) -> Place:
        """The place of a field."""
        return Place.of(self.resource, *path)


def fronts(view: View) -> Iterator[Front]:
    """Every Route and Ingress, once for each endpoint that it stands in front of."""
    servers: dict[str, list[Subsystem]] = {}
    for each in view.of(*_ENDPOINTS):
        for host in {*_hosts(each), *_reported(each, view)}:
            servers.setdefault(host, []).append(each)
    for resource in view.question.files.of("Route", "Ingress") if servers else ():
        if resource.group not in ("route.openshift.io", "networking.k8s.io", "extensions"):
            continue
        place = (resource.namespace, view.cluster(resource))
        for host in dict.fromkeys(_fronted(resource)):
            for server in servers.get(host, ()):
                if place == (server.namespace, server.cluster):
                    yield Front(resource, server, host)


def _hosts(each: Subsystem) -> Iterator[str]:
    for endpoint in _ENDPOINTS[each.kind]:
        for host in each.spec.items(*endpoint, "hosts"):
            name = host.text("name").lower()
            if name and not placeholder(name):
                yield name


def _reported(each: Subsystem, view: View) -> Iterator[str]:
    """The hosts of its endpoints by its status, which names their secrets."""
    for endpoint in each.resource.root.items("status", "endpoints"):
        row = view.row(endpoint.text("secretName"))
        if row is not None and row.name in _SECRETS.get(each.kind, ()):
            try:
                yield (urlsplit(endpoint.text("uri")).hostname or "").lower()
            except ValueError:
                continue


def _fronted(resource: Resource) -> Iterator[str]:
    if resource.kind == "Route":
        yield resource.root.text("spec", "host").lower()
        return
    for rule in resource.root.items("spec", "rules"):
        yield rule.text("host").lower()
    for block in resource.root.items(*_TLS):
        yield from (host.text().lower() for host in block.items("hosts"))


def needing_passthrough(view: View) -> Iterator[Front]:
    """What stands in front of a server that verifies its clients' certificates; a Route without TLS is FLW-0's."""
    for front in fronts(view):
        clear = front.is_route and not front.resource.root.fields(*_TLS)
        if front.server.kind != MANAGEMENT and not clear and _mtls(front.server):
            yield front


def _mtls(server: Subsystem) -> bool:
    """Whether it verifies certificates, or may."""
    return server.validates or server.unfilled(SWITCH)


def flw_3(view: View, log: Log) -> None:
    """TLS reaches a server that verifies certificates as its client sent it."""
    for front in needing_passthrough(view):
        passes, unfilled = front.passes(), front.server.unfilled(SWITCH)
        if unfilled or passes is None:
            known = f"{SWITCH} of {front.server.title} is a placeholder" if unfilled else _unknown(front)
            log.undecided(front.at(*(_TLS if front.is_route else ("metadata", "annotations"))), known)
            continue
        log.checked()
        if not passes:
            _terminated(front, log)


def _unknown(front: Front) -> str:
    if front.is_route:
        return f"{front.termination or 'no word'} is not a valid termination"
    whose = f"the controller {front.controller}" if front.controller else "an unnamed controller"
    return f"whether {whose} passes TLS through to {front.what}, is not in its annotations"


def _terminated(front: Front, log: Log) -> None:
    switched = front.server.kind != DEVPORTAL
    message = (
        f"TLS ends here, in front of {front.what}, which verifies its clients' certificates"
        f"{f' ({SWITCH})' if switched else ''}. What terminates TLS does not hold the client's key, so every client is"
        " refused."
    )
    plan = f"or move the flow to JWT first (hopproof plan --terminate); {SWITCH}: false comes before this change"
    plan = plan if switched else "the developer portal has no JWT in place of mTLS"
    if front.is_route:
        fix = f"tls: {{termination: passthrough}}  # {plan}"
        log.error(front.at(*_TLS, "termination"), message, fix, patch(front.resource, *_pass_on(front)))
        return
    name = next(iter(front.switches()), _PASSTHROUGH)
    path = ("metadata", "annotations", name)
    fix = f'{name}: "true"  # {plan}'
    log.error(front.at(*path), message, fix, patch(front.resource, put(front.resource, "true", *path)))


def _pass_on(front: Front) -> list[Operation]:
    """Passthrough, without what only a router that terminates may have."""
    root = front.resource.root
    gone = [take_out(*_TLS, name) for name in _OF_THE_ROUTER if root.at(*_TLS, name) is not None]
    if root.text(*_TLS, "insecureEdgeTerminationPolicy") == "Allow":
        gone.append(put(front.resource, "Redirect", *_TLS, "insecureEdgeTerminationPolicy"))
    return [*gone, put(front.resource, _PASSED, *_TLS, "termination")]


def ca_presented(view: View, log: Log) -> None:
    """No Ingress is given the Secret of a CA in the place of a server's."""
    homes = {(each.namespace, each.cluster) for each in view.stated}
    for ingress in view.question.files.of("Ingress"):
        if (ingress.namespace, view.cluster(ingress)) not in homes:
            continue
        for number, block in enumerate(ingress.root.items(*_TLS)):
            row = view.row(block.text("secretName"))
            if row is not None and row.use == CA:
                log.checked()
                log.error(
                    Place.of(ingress, *_TLS, number, "secretName"),
                    f"{block.text('secretName')} is a CA: the controller would present the CA's own certificate, which"
                    " is for no host, and is given the key that signs every other.",
                    "secretName: the server certificate's, as the resource of the subsystem names it for this host",
                )


def flw_0(view: View, log: Log) -> None:
    """What stands in front of an endpoint has TLS on both sides."""
    for front in fronts(view):
        if front.is_route:
            log.checked()
            _route(front, log)
        elif (passes := front.passes()) or front.of_nginx:
            log.checked()
            if not passes:
                _ingress(front, log)


def _route(front: Front, log: Log) -> None:
    root = front.resource.root
    if not root.fields(*_TLS):
        passed = patch(front.resource, put(front.resource, {"termination": _PASSED}, *_TLS))
        between = front.server.kind != MANAGEMENT
        log.error(
            front.at(*_TLS),
            f"This route has no TLS: {front.what}, is offered in clear text, and over HTTPS not at all.",
            f"tls: {{termination: passthrough}}{'' if between else ', or reencrypt'}",
            passed if between else None,
        )
        return
    policy = (*_TLS, "insecureEdgeTerminationPolicy")
    if root.text(*policy) == "Allow" and front.termination in (_EDGE, _REENCRYPT):
        log.error(
            front.at(*policy),
            f"This route offers {front.what}, in clear text as well: anyone who reads it has every token.",
            "insecureEdgeTerminationPolicy: Redirect  # or None",
            patch(front.resource, put(front.resource, "Redirect", *policy)),
        )
    # Where it verifies certificates, that is FLW-3's.
    if front.termination == _EDGE and front.server.kind != MANAGEMENT and not _mtls(front.server):
        log.error(
            front.at(*_TLS, "termination"),
            f"The router speaks clear text to {front.what}: TLS stays on when mTLS is off, and the subsystem answers"
            " nothing else.",
            "termination: reencrypt, with destinationCACertificate: the certificate of ingress-ca; or passthrough",
        )


def _ingress(front: Front, log: Log) -> None:
    """What ingress-nginx makes of an Ingress that it terminates."""
    annotations = ("metadata", "annotations")
    redirect = f"{_NGINX}/ssl-redirect"
    forced, missing = front.annotation(f"{_NGINX}/force-ssl-redirect") == "true", not front.resource.root.items(*_TLS)
    if not forced and (missing or front.annotation(redirect) == "false"):
        log.error(
            front.at("spec") if missing else front.at(*annotations, redirect),
            f"This ingress offers {front.what}, in clear text as well: anyone who reads it has every token.",
            "tls: [{hosts: [...], secretName: ...}]" if missing else f'{redirect}: "true"',
            None if missing else patch(front.resource, put(front.resource, "true", *annotations, redirect)),
        )
    if front.server.kind == MANAGEMENT or _mtls(front.server) or front.annotation(_PROTOCOL) in ("https", "grpcs"):
        return
    stated = front.annotation(_PROTOCOL)
    (log.error if stated in ("http", "grpc") else log.warning)(
        front.at(*annotations, _PROTOCOL),
        f"The controller speaks {stated.upper() or 'HTTP, its default,'} to {front.what}: TLS stays on when mTLS is"
        " off, and the subsystem answers nothing else.",
        f"{_PROTOCOL}: HTTPS",
        patch(front.resource, put(front.resource, "HTTPS", *annotations, _PROTOCOL)),
    )
