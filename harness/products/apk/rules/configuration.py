"""The rules on apk-conf files and Authentication resources: kinds and fields, targets, the release."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.patch import Patch, move, patch, put, take_out
from harness.products.apk.rules.schema import CONF, FORMER, MODES, RESOURCE, meant, nearest
from harness.products.apk.rules.view import CERTIFICATES, DOCUMENT, MTLS, SOURCES, Part, View
from harness.products.rules import Log, Place

_NONE_FROM = (1, 3)
_FORMER_VERSION = "/v1alpha1"
_MODE = "required"


def _known(part: Part) -> Mapping[str, frozenset[str]]:
    if part.is_conf:
        return CONF
    return FORMER if part.resource.root.text("apiVersion").endswith(_FORMER_VERSION) else RESOURCE


def auth_types(view: View, log: Log) -> None:
    """APK-1-AUTHTYPE: every kind of authentication is one that APK knows."""
    for part in view.parts:
        log.checked()
        known = _known(part)
        if part.kind in known or (part.kind == "mtls" and known is FORMER):
            continue  # what v1alpha1 has not is said of its place
        at = part.place("authType") if part.is_conf else part.place()
        message = f"{part.kind or 'no authType'} is not an authType that APK knows"
        right = meant(part.kind, known)
        corrected = part.put(right, "authType") if right and part.is_conf else None
        log.error(at, message, nearest(part.kind, known), corrected)


def fields(view: View, log: Log) -> None:
    """APK-1-REQUIRED: ``required`` is spelt so and has one of its two values; no field is unknown."""
    for part in view.parts:
        known = _known(part).get(part.kind)
        if known is None:
            continue  # its kind is reported
        log.checked()
        for name, value in part.root.fields().items():
            if name not in known:
                _unknown_field(part, name, known, log)
            elif name == _MODE and value.text() not in MODES:
                said = value.text() or "no text"
                message, right = f"{said}: {_MODE} is mandatory or optional", meant(said, MODES)
                log.error(part.place(name), message, nearest(said, MODES), part.put(right, name) if right else None)


def _unknown_field(part: Part, name: str, known: frozenset[str], log: Log) -> None:
    if part.is_conf and part.kind == MTLS and name in SOURCES:
        return  # APK-1-SOURCE
    how = "APK refuses the file" if part.is_conf else "Kubernetes drops it, so it has no effect"
    message = f"{name} is not a field of {part.kind}: {how}"
    log.error(part.place(name), message, nearest(name, sorted(known)), _renamed(part, name, meant(name, sorted(known))))


def _renamed(part: Part, name: str, right: str) -> Patch | None:
    """The field *name* under its right name, or gone where that says it already."""
    if not right:
        return None
    written = (*part.at, name)
    there = part.root.at(right) is not None
    return patch(part.resource, take_out(*written) if there else move(written, (*part.at, right)))


def sources_of_conf(view: View, log: Log) -> None:
    """APK-1-SOURCE: an apk-conf file takes its certificates from ConfigMaps."""
    for part in (each for each in view.parts if each.is_conf and each.kind == MTLS):
        log.checked()
        fix = "certificates: [{name: <ConfigMap>, key: tls.crt}], or an Authentication resource"
        for name in (name for name in SOURCES if part.root.at(name) is not None):
            log.error(part.place(name), f"{name} in an apk-conf file: it takes certificates from ConfigMaps only", fix)
        for number, item in enumerate(part.root.items(CERTIFICATES)):
            if item.is_text:
                message = "an inline certificate in an apk-conf file: it takes certificates from ConfigMaps only"
                log.error(part.place(CERTIFICATES, number), message, fix)
            elif {"secretName", "secretKey", "secret"} & set(item.fields()):
                message = "a Secret in an apk-conf file: it takes certificates from ConfigMaps only"
                log.error(part.place(CERTIFICATES, number), message, fix)


def explicit(view: View, log: Log) -> None:
    """APK-1-EXPLICIT: The configuration of mTLS sets `required` explicitly."""
    for part in view.mtls():
        log.checked()
        if part.root.at(_MODE) is None:
            message = "required is not set: the document then treats mTLS as mandatory, APK 1.2 as optional"
            log.warning(part.place(_MODE), message, "required: mandatory  # or optional")
        names = {other.kind for other in view.parts if other.resource is part.resource}
        if part.is_conf and "OAuth2" not in names:
            message = "there is no OAuth2 entry: OAuth2 is then mandatory, and a certificate alone is refused"
            log.note(part.place(), message, "- {authType: OAuth2, required: optional}  # or enabled: false")


def release(view: View, log: Log) -> None:
    """APK-1-RELEASE: the release has mTLS."""
    for part in view.mtls():
        if not view.release:
            log.undecided(part.place(), "the files do not say which release of APK they are for (give --release)")
            return
        log.checked()
        if view.release[:2] >= _NONE_FROM:
            name = ".".join(map(str, view.release))
            message = f"APK {name} has no mTLS: from 1.3 on it ignores client certificates, whatever is configured"
            log.error(part.place(), message, "APK 1.2, or verify clients in the proxy")


def target(view: View, log: Log) -> None:
    """APK-6-TARGET: an Authentication resource names what it is for."""
    named = {api.name for api in view.apis}
    for resource in view.authentications:
        log.checked()
        kind, name = (resource.root.text("spec", "targetRef", field) for field in ("kind", "name"))
        if kind not in ("API", "Resource"):
            message = f"targetRef.kind is {kind or 'left out'}: APK knows API and Resource"
            log.error(Place.of(resource, "spec", "targetRef", "kind"), message, "kind: API")
        if not name:
            log.error(Place.of(resource, "spec", "targetRef", "name"), "targetRef names nothing", "name: <API>")
        elif kind == "API" and named and name not in named:
            message = f"there is no API {name} in these files, so it protects none of theirs"
            log.warning(Place.of(resource, "spec", "targetRef", "name"), message, nearest(name, sorted(named)))


def kind_of_target(view: View, log: Log) -> None:
    """APK-6-KIND: mTLS is for APIs."""
    for part in (each for each in view.mtls() if not each.is_conf):
        log.checked()
        if part.resource.root.text("spec", "targetRef", "kind") == "Resource":
            at = Place.of(part.resource, "spec", "targetRef", "kind")
            log.error(at, "mTLS on a Resource: it can only be added for APIs", "kind: API")


def place(view: View, log: Log) -> None:
    """APK-6-PLACE: mTLS stands where the schema has it."""
    log.checked(sum(part.kind == "mtls" for part in view.parts if not part.is_conf))
    for part in (each for each in view.parts if each.kind == "mtls" and not each.is_conf):
        if part.resource.root.text("apiVersion").endswith(_FORMER_VERSION):
            message = "v1alpha1 has no mTLS: Kubernetes drops it, and the API is not protected by it"
            log.error(part.place(), message, "apiVersion: dp.wso2.com/v1alpha2")
    for part in view.misplaced:
        log.checked()
        if view.profile != DOCUMENT:
            message = (
                "mtls is beside authTypes, where the document's sample has it: the CRD of APK 1.2 does not know "
                "that field, and Kubernetes drops it without an error"
            )
            log.error(part.place(), message, f"spec.{part.at[1]}.authTypes.mtls", _into_auth_types(part))


def _into_auth_types(part: Part) -> Patch | None:
    """mTLS under authTypes, where there is none yet."""
    inside = (*part.at[:-1], "authTypes")
    if part.resource.root.at(*inside, part.kind) is not None:
        return None
    made = [] if part.resource.root.fields(*inside) else [put(part.resource, {}, *inside)]
    return patch(part.resource, *made, move(part.at, (*inside, part.kind)))


def several(view: View, log: Log) -> None:
    """APK-6-SOURCES: a resource has one source of certificates."""
    for part in (each for each in view.mtls() if not each.is_conf):
        log.checked()
        used, *others = [name for name in SOURCES if part.root.at(name) is not None] or [""]
        if others and view.profile != DOCUMENT:
            message = f"{' and '.join(others)} beside {used}: APK 1.2 uses {used} alone, and refuses the other clients"
            log.warning(part.place(others[0]), message, f"all certificates under {used}")
