"""Where tokens are verified: release, JWKS URL, its CA, the sender's switch.  CFG-8, 10, 11, 17, 18; FLW-6."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from harness.model.patch import Patch, patch, put
from harness.model.resource import Located, Resource
from harness.products.apic.rules.profiles import INGESTION_JWT_SINCE, JWT_SINCE, before
from harness.products.apic.rules.remedies import authority, home, set_in, setting, without
from harness.products.apic.rules.view import (
    ANALYTICS,
    GATEWAY,
    KEYS,
    MANAGEMENT,
    PORTAL,
    SWITCH,
    Subsystem,
    View,
    placeholder,
)
from harness.products.rules import Log, Place

_PATH = "/api/cloud/oauth2/certs"
_ENDPOINT = "APIC_PLATFORM_API_SVC_ENDPOINT"
_JWT = "communication_to_analytics_with_jwt"
_WORKLOADS = ("Pod", "Deployment", "StatefulSet", "ReplicaSet", "Job", "CronJob", "DaemonSet")


def _verifiers(view: View) -> Iterator[Subsystem]:
    return (each for each in view.of(PORTAL, ANALYTICS, GATEWAY) if each.sets(KEYS))


def _url(each: Subsystem) -> SplitResult | None:
    """The JWKS URL in parts; None where it is a placeholder, or none at all."""
    text = each.jwks
    if "://" not in text:
        text = f"//{text}"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return None if placeholder(parts.path) or (placeholder(text) and not parts.path) else parts


def to_service(each: Subsystem) -> bool:
    """Whether its JWKS URL is that of a service of the cluster."""
    return _in_cluster(_url(each))


def _in_cluster(parts: SplitResult | None) -> bool:
    host = (parts.hostname or "") if parts else ""
    return host.endswith((".svc", ".svc.cluster.local"))


def cfg_8(view: View, log: Log) -> None:
    """Releases that know JWT."""
    for each in _verifiers(view):
        release = view.release_of(each)
        if not release:
            log.undecided(each.at(KEYS), "no resource says which release it is; give --release")
            continue
        log.checked()
        name = ".".join(map(str, release))
        if before(release, JWT_SINCE):
            log.error(
                each.at(KEYS),
                f"{KEYS} is set, and release {name} does not verify tokens; that needs 10.0.5.3 or later.",
                f"remove {KEYS} and set {SWITCH}: true, or upgrade first",
                _back_to_mtls(view, each),
            )
        elif each.kind == ANALYTICS and not each.validates and before(release, INGESTION_JWT_SINCE):
            log.error(
                each.at(SWITCH),
                f"mTLS is off, and in release {name} gateways send analytics no token; that needs 10.0.5.4 or"
                " later. Their"
                " API events would be refused.",
                f"{SWITCH}: true, or upgrade first",
                setting(view, each, True, SWITCH),
            )


def _back_to_mtls(view: View, each: Subsystem) -> Patch | None:
    """No JWT, and mTLS where it is the default."""
    edited = home(view, each)
    if edited is None:
        return None
    mtls = [] if edited.kind == GATEWAY else [set_in(edited, True, SWITCH)]
    return patch(edited.resource, *without(edited, KEYS), *mtls)


def _keys(view: View, each: Subsystem, address: str = "") -> Patch | None:
    """The keys of the platform API at *address*, or of the only one that management publishes."""
    known = {address} if address else _platform(view, each)
    return setting(view, each, f"https://{min(known)}{_PATH}", KEYS) if len(known) == 1 else None


def _platform(view: View, each: Subsystem) -> set[str]:
    managements = [one for one in view.of(MANAGEMENT) if view.together(one, each)]
    published = {host for one in managements for host in _published(one)}
    return {host for host in published if host and not placeholder(host)}


def cfg_10(view: View, log: Log) -> None:
    """The JWKS URL is the platform API's."""
    for each in _verifiers(view):
        parts = _url(each)
        if _in_cluster(parts):
            continue
        if parts is None and placeholder(each.jwks):
            log.undecided(each.at(KEYS), f"{KEYS} is a placeholder, {each.jwks}")
            continue
        log.checked()
        if parts is None or not each.jwks:
            fix = f"{KEYS}: https://<platform API host>{_PATH}"
            log.error(each.at(KEYS), f"{KEYS} is not a URL.", fix, _keys(view, each))
        elif _well_formed(view, log, each, parts):
            _host(view, log, each, parts)


def _well_formed(view: View, log: Log, each: Subsystem, parts: SplitResult) -> bool:
    right = _keys(view, each, "" if placeholder(parts.netloc) else parts.netloc)
    if parts.path != _PATH or parts.query or parts.fragment:
        log.error(
            each.at(KEYS),
            f"The path of {KEYS} is {parts.path or 'empty'}; management publishes its keys under {_PATH} only, so"
            " no token"
            " can be verified.",
            f"{KEYS}: https://{parts.netloc or '<platform API host>'}{_PATH}",
            right,
        )
        return False
    if parts.scheme not in ("https", ""):
        log.error(
            each.at(KEYS),
            f"{KEYS} begins with {parts.scheme}://. Anyone who can change that traffic can have any token accepted.",
            f"{KEYS}: https://{parts.netloc}{_PATH}",
            right,
        )
    elif not parts.scheme:
        log.warning(
            each.at(KEYS),
            f"{KEYS} has no scheme; only the apicup samples for virtual appliances write it so.",
            f"{KEYS}: https://{parts.netloc}{_PATH}",
            right,
        )
    return True


def _host(view: View, log: Log, each: Subsystem, parts: SplitResult) -> None:
    known = _platform(view, each)
    host = (parts.hostname or "").lower()
    if known and host not in known and not placeholder(parts.netloc):
        log.warning(
            each.at(KEYS),
            f"{KEYS} names the host {host}; management's platform API is {' or '.join(sorted(known))}.",
            f"{KEYS}: https://{min(known)}{_PATH}",
            _keys(view, each),
        )


def _published(management: Subsystem) -> Iterator[str]:
    for endpoint in management.spec.items("platformAPIEndpoint", "hosts"):
        yield endpoint.text("name").lower()
    for endpoint in management.resource.root.items("status", "endpoints"):
        if endpoint.text("name") in (KEYS, "platformApi"):
            try:
                yield (urlsplit(endpoint.text("uri")).hostname or "").lower()
            except ValueError:
                continue


def cfg_11(view: View, log: Log) -> None:
    """The JWKS URL inside the cluster is that of the platform API's service."""
    services = list(_services(view))
    for each in _verifiers(view):
        parts = _url(each)
        if parts is None or not _in_cluster(parts):
            continue
        log.checked()
        if _well_formed(view, log, each, parts):
            _service(view, log, each, parts, services)
            _listens(view, log, each, parts)


def _service(view: View, log: Log, each: Subsystem, parts: SplitResult, services: list[tuple[Resource, str]]) -> None:
    known = {address for resource, url in services if (address := _address(url))}
    if not known or _address(each.jwks) in known:
        return
    report = log.error if view.alone() else log.warning
    report(
        each.at(KEYS),
        f"{KEYS} names {parts.netloc}; {_ENDPOINT} of the pods names {' or '.join(sorted(known))}.",
        f"{KEYS}: https://{min(known)}{_PATH}",
        _keys(view, each, min(known)) if len(known) == 1 else None,
    )


def _listens(view: View, log: Log, each: Subsystem, parts: SplitResult) -> None:
    """The service, where it is in the files, has the port of the URL."""
    name, _, rest = (parts.hostname or "").partition(".")
    port, where = str(parts.port or 443), (name, rest.partition(".")[0], each.cluster)
    for service in view.question.files.of("Service"):
        if (service.name, service.namespace, view.cluster(service)) != where or service.group:
            continue
        ports = [item.text("port") for item in service.root.items("spec", "ports")]
        if ports and port not in ports and service.root.text("spec", "type") != "ExternalName":
            log.error(
                each.at(KEYS),
                f"{KEYS} names port {port}, and {service.label} has {', '.join(ports)}: there are no keys, so every"
                " token is refused.",
                f"{KEYS}: https://{parts.hostname}:{ports[0] if len(ports) == 1 else '<port>'}{_PATH}",
                _keys(view, each, f"{parts.hostname}:{ports[0]}") if len(ports) == 1 else None,
            )


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{(parts.hostname or '').lower()}:{parts.port or 443}" if parts.hostname else ""
    except ValueError:
        return ""


def _services(view: View) -> Iterator[tuple[Resource, str]]:
    """What the pods call the platform API's service."""
    for resource in view.question.files.of(*_WORKLOADS):
        for variable in _environment(resource.root):
            if variable.text("name") == _ENDPOINT and not placeholder(variable.text("value")):
                yield resource, variable.text("value")


def _environment(root: Located) -> Iterator[Located]:
    for path in (("spec",), ("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec")):
        for kind in ("containers", "initContainers"):
            for container in root.items(*path, kind):
                yield from container.items("env")


def cfg_17(view: View, log: Log) -> None:
    """The gateway's registration sends the token that analytics asks for."""
    waiting = [each for each in view.of(ANALYTICS) if each.jwks and not each.validates]
    for document in view.question.files.resources:
        if document.kind or document.root.text("gateway_service_type") != "datapower-api-gateway" or not waiting:
            continue
        log.checked()
        sends = document.root.flag(_JWT)
        if sends:
            continue
        at = Place.of(document, _JWT)
        message = (
            f"{waiting[0].title} verifies a JWT in place of a certificate, and this gateway service is not"
            " registered to send"
            " one: its API events would be refused."
        )
        (log.warning if sends is None else log.error)(
            at, message, f"{_JWT}: true", patch(document, put(document, True, _JWT))
        )


def cfg_18(view: View, log: Log) -> None:
    """Keys are fetched from a server that is verified."""
    for each in _verifiers(view):
        if each.top_level:
            continue  # the operator adds the CA
        log.checked()
        name = "mgmtPlatformEndpointSvcCASecret" if _in_cluster(_url(each)) else "mgmtPlatformEndpointCASecret"
        if not each.spec.text(name, "secretName"):
            ca = authority(view, each, "Svc" in name)
            log.warning(
                each.at(KEYS),
                f"{KEYS} is set without {name}: the keys are fetched from a server that is not verified;"
                " an impostor can have any token accepted.",
                f"{name}: {{secretName: {ca}}}",
                setting(view, each, ca, name, "secretName"),
            )


def flw_6(view: View, log: Log) -> None:
    """Services between subsystems are not for two data centres."""
    doubled = [each for each in view.of(MANAGEMENT, PORTAL) if each.two_data_centres]
    for each in _verifiers(view):
        log.checked()
        if _in_cluster(_url(each)) and any(view.together(each, other) for other in doubled):
            log.error(
                each.at(KEYS),
                f"{KEYS} names a service of the cluster, in a two-data-centre deployment (multiSiteHA), where"
                " in-cluster"
                " communication is not available.",
                f"{KEYS}: https://<platform API host>{_PATH}",
                _keys(view, each),
            )
    for document in view.question.files.resources:
        if document.kind or not document.root.text("communication_kind"):
            continue
        log.checked()
        for name in ("communication_kind", "communication_to_analytics_kind"):
            if document.root.text(name) == "internal" and doubled and view.alone():
                log.error(
                    Place.of(document, name),
                    "In-cluster communication is chosen in a two-data-centre deployment (multiSiteHA), where it is not"
                    " available: subsystems of the other data centre cannot be reached.",
                    f"{name}: external",
                    patch(document, put(document, "external", name)),
                )
