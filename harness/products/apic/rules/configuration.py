"""Which protection each subsystem is configured for: CFG-1, 2, 6, 7, 9, 12 to 16.  Reads custom resources only."""

from __future__ import annotations

from harness.model.patch import Patch, patch, put
from harness.model.resource import Located
from harness.products.apic.rules.remedies import home, set_in, setting, without
from harness.products.apic.rules.view import (
    ANALYTICS,
    DEVPORTAL,
    EVENTS,
    GATEWAY,
    KEYS,
    PORTAL,
    SWITCH,
    TOP,
    Subsystem,
    View,
)
from harness.products.rules import Log

_OLD_SWITCH = "validateApimClient"
_V5C = "apicGatewayServiceV5CompatibilityMode"
_TURN_ON = f"{SWITCH}: true"
_JWKS = "jwksUrl: https://<platform API host>/api/cloud/oauth2/certs"
_CLIENT = {PORTAL: "management", ANALYTICS: "management and the gateways"}
_TRUTHS = {"true": True, "false": False}
_NO_MTLS = "the mTLS of this flow cannot be disabled"


def cfg_1(view: View, log: Log) -> None:
    """mTLS and JWT are not both off."""
    for each in view.of(PORTAL, ANALYTICS):
        if each.unfilled(SWITCH) and not each.jwks:
            log.undecided(each.at(SWITCH), f"{SWITCH} is a placeholder, {each.spec.text(SWITCH)}")
            continue
        log.checked()
        if each.validates or each.jwks:
            continue
        if each.top_level and each.spec.at(KEYS) is None:
            log.warning(
                each.at(SWITCH),
                f"{SWITCH} is false and this resource sets no {KEYS}. A new install sets {KEYS} by itself; an"
                " upgraded one"
                f" does not, and then no client of the {each.kind} subsystem is verified.",
                f"{_JWKS}  # beside {SWITCH}; or {_TURN_ON}",
                setting(view, each, True, SWITCH),
            )
            continue
        log.error(
            each.at(SWITCH),
            f"mTLS and JWT are both off: {SWITCH} is false and {KEYS} is not set. The {each.kind} subsystem would"
            " verify"
            f" neither a certificate nor a token of {_CLIENT[each.kind]}; API Connect does not support this.",
            f"{_TURN_ON}  # or, beside it: {_JWKS}",
            setting(view, each, True, SWITCH),
        )
    for each in view.of(GATEWAY):
        log.checked()
        if not each.validates and not each.jwks and not each.top_level:
            log.note(
                each.at(SWITCH),
                "Neither mTLS nor JWT is on, which is the documented default: management's connection is"
                " encrypted, and the"
                " gateway's manager endpoint does not authenticate who connects.",
                f"{_JWKS}  # or, without a top-level resource: {_TURN_ON}",
            )


def cfg_2(view: View, log: Log) -> None:
    """The switch is a truth value; where it is missing its default holds."""
    for each in view.of(DEVPORTAL):
        for name in (SWITCH, KEYS):
            if each.sets(name):
                log.undecided(
                    each.at(name),
                    f"a DevPortalCluster of 12.1.0.1 has no {name}; whether another release reads it is not known, and"
                    " it is judged with mTLS on",
                )
    for each in view.stated:
        if each.kind not in (PORTAL, ANALYTICS, GATEWAY):
            continue
        unfilled = [name for name in (SWITCH, _OLD_SWITCH) if each.unfilled(name)]
        for name in unfilled:
            log.undecided(each.at(name), f"{name} is a placeholder, {each.spec.text(name)}")
        log.checked(0 if unfilled else 1)
        for name in (SWITCH, _OLD_SWITCH):
            written = each.spec.at(name)
            if written is not None and not isinstance(written.value, bool) and name not in unfilled:
                log.error(
                    each.at(name),
                    f"{name} is not true or false. The API server refuses the resource, or the default holds, which is"
                    f" {'false on a gateway' if each.kind == GATEWAY else 'true here'}.",
                    f"{name}: true  # or false, without quotation marks",
                    _unquoted(view, each, name),
                )


def _unquoted(view: View, each: Subsystem, name: str) -> Patch | None:
    """The truth value that is meant, unless it leaves nobody verified."""
    meant = _TRUTHS.get(each.spec.text(name).strip().lower())
    unsafe = meant is False and each.kind != GATEWAY and not each.jwks
    return None if meant is None or unsafe else setting(view, each, meant, name)


def cfg_6(view: View, log: Log) -> None:
    """v5c gateway to analytics stays mTLS."""
    gateways = [each for each in view.of(GATEWAY) if each.v5c]
    _stays_mtls(view, log, gateways, "A v5 compatible gateway sends no JWT to analytics")
    if not all(each.validates for each in view.of(ANALYTICS)):
        for each in (gateway for gateway in view.of(GATEWAY) if gateway.unread_mode):
            log.undecided(each.at(_V5C), f"{_V5C} is not true or false, and mTLS is off at analytics")
    for document in view.question.files.resources:
        if document.kind or document.root.text("gateway_service_type") != "datapower-gateway":
            continue
        log.checked()
        if document.root.flag("communication_to_analytics_with_jwt"):
            log.warning(
                Subsystem(GATEWAY, document, (), "").at("communication_to_analytics_with_jwt"),
                "A v5 compatible gateway (datapower-gateway) is registered to send a JWT to analytics, which it"
                " never does;"
                f" {_NO_MTLS}.",
                "communication_to_analytics_with_jwt: false",
                patch(document, put(document, False, "communication_to_analytics_with_jwt")),
            )


def cfg_7(view: View, log: Log) -> None:
    """Event gateway to analytics stays mTLS."""
    _stays_mtls(view, log, list(view.of(EVENTS)), "An event gateway sends no JWT to analytics")


def _stays_mtls(view: View, log: Log, gateways: list[Subsystem], why: str) -> None:
    everywhere = list(view.of(ANALYTICS))
    without = [each for each in everywhere if not each.validates]
    for gateway in gateways if everywhere else []:
        log.checked()
        for analytics in without:
            message = (
                f"mTLS is off at the analytics subsystem, but {gateway.title} is in the same files. {why} and"
                f" {_NO_MTLS}:"
                " its API events would be refused."
            )
            report = log.error if view.together(analytics, gateway) else log.warning
            report(analytics.at(SWITCH), message, _TURN_ON, setting(view, analytics, True, SWITCH))


def cfg_9(view: View, log: Log) -> None:
    """The DataPower override is complete, and goes when JWT is disabled."""
    for each in view.stated:
        override = each.spec.fields("dataPowerOverride")
        if each.kind != GATEWAY or "image" not in override:
            continue
        log.checked()
        image = each.spec.text("dataPowerOverride", "image").strip()
        if not image or image.endswith(":"):
            log.error(
                each.at("dataPowerOverride", "image"),
                "The image of dataPowerOverride has no tag, so the gateway's pods cannot pull it.",
                "image: <registry>/<image>:<version>",
            )
        for name in ("version", "license"):
            if name not in override:
                log.warning(
                    each.at("dataPowerOverride"),
                    f"dataPowerOverride names an image and no {name}; the documented section has image, version"
                    " and license.",
                    f"{name}: <the {name} of that image>",
                )
        if not each.jwks and not each.top_level and not each.owner:
            log.warning(
                each.at("dataPowerOverride"),
                f"dataPowerOverride names an image although {KEYS} is not set. Where JWT was disabled, the"
                " override that was"
                " added for it has to be removed as well.",
                "remove dataPowerOverride, unless it is there for another reason",
            )


def cfg_12(view: View, log: Log) -> None:
    """The switch's former name."""
    for each in view.stated:
        if each.kind not in (PORTAL, ANALYTICS, GATEWAY):
            continue
        log.checked()
        if each.spec.at(_OLD_SWITCH) is None:
            continue
        old, new = each.spec.flag(_OLD_SWITCH), each.spec.flag(SWITCH)
        conflict = f" It contradicts {SWITCH} beside it." if new is not None and new != old else ""
        log.warning(
            each.at(_OLD_SWITCH),
            f"{_OLD_SWITCH} is the former name of {SWITCH}; a release that has dropped it would take the"
            f" default.{conflict}",
            f"{SWITCH}: {str(old if new is None else new).lower()}  # and remove {_OLD_SWITCH}",
            _renamed(view, each, old if new is None else new),
        )


def _renamed(view: View, each: Subsystem, value: bool | None) -> Patch | None:
    edited = home(view, each)
    if edited is None or edited.spec.at(_OLD_SWITCH) is None or value is None:
        return None
    return patch(edited.resource, *without(edited, _OLD_SWITCH), set_in(edited, value, SWITCH))


def cfg_13(view: View, log: Log) -> None:
    """No mTLS from management to the gateway with a top-level resource."""
    for each in view.stated:
        if each.kind != GATEWAY or not (each.top_level or each.owner or view.platform == "cp4i"):
            continue
        log.checked()
        if each.spec.flag(SWITCH) is not True:
            continue
        message = (
            "mTLS from management to the gateway is on. With a top-level APIConnectCluster, and on Cloud Pak for"
            " Integration,"
            " it is not supported."
        )
        fix = f"remove {SWITCH}, and set {KEYS} to have management authenticated"
        edited = home(view, each)
        removed = patch(edited.resource, *taken) if edited and (taken := without(edited, SWITCH)) else None
        (log.error if each.top_level else log.warning)(each.at(SWITCH), message, fix, removed)


def cfg_14(view: View, log: Log) -> None:
    """Settings belong into the top-level resource."""
    for section in (each for each in view.stated if each.top_level):
        for made in view.generated(section):
            log.checked()
            for name in (SWITCH, KEYS):
                _in_the_top(log, section, made, name)
    for top in view.tops:
        for made in (each for each in view.stated if each.owner == top.name and each.namespace == top.namespace):
            if not top.root.fields("spec", made.kind):
                log.checked()
                _edited(log, made)


def _in_the_top(log: Log, section: Subsystem, made: Subsystem, name: str) -> None:
    stated, found = section.spec.at(name), made.spec.at(name)
    if stated is None:
        _edited(log, made, name)
    elif _in_force(stated) != (_in_force(found) if found is not None else made.validates if name == SWITCH else ""):
        log.error(
            made.at(name),
            f"{name} differs from the one of {section.resource.label}, which this resource is generated from. A setting"
            " belongs into the top-level resource; the operator overwrites this one.",
            f"spec.{section.kind}.{name} in {section.resource.label}: the value that you want in force",
        )


def _in_force(setting: Located) -> object:
    """What a setting says; one that is empty says nothing."""
    return "" if setting.value is None else setting.value


def _edited(log: Log, made: Subsystem, *names: str) -> None:
    """Report what managed fields show a person to have set in a generated resource."""
    for entry in made.resource.root.items("metadata", "managedFields"):
        manager = entry.text("manager")
        if not manager.startswith(("kubectl", "oc", "Mozilla")):
            continue
        for name in names or (SWITCH, KEYS):
            if f"f:{name}" in entry.fields("fieldsV1", "f:spec"):
                log.error(
                    made.at(name),
                    f"{name} was set here with {manager}, in a resource that is generated from {TOP} {made.owner}. The"
                    " operator overwrites it; the setting belongs into the top-level resource.",
                    f"{name} under spec.{made.kind} of {TOP} {made.owner}",
                )


def cfg_15(view: View, log: Log) -> None:
    """New installs with a top-level resource verify tokens by themselves."""
    made = [each for each in view.stated if each.owner and each.kind in (PORTAL, ANALYTICS, GATEWAY)]
    for each in made:
        log.checked()
        if each.jwks or _decided(view, each):
            continue
        fix = f"{KEYS} under spec.{each.kind} of {TOP} {each.owner}, if tokens are to be verified"
        others = [other for other in made if _of_one(each, other) and other.jwks]
        if others:
            log.warning(
                each.at(),
                f"No {KEYS} here, and {others[0].resource.label}, of the same top-level resource, has one. A new"
                " install sets it in portal, analytics and gateway; an upgraded one in none.",
                fix,
                setting(view, each, others[0].jwks, KEYS),
            )
            continue
        log.note(
            each.at(),
            f"The operator has set no {KEYS} here. New installs with a top-level resource have one; an install that was"
            " upgraded from before 10.0.5.3 keeps its behaviour and verifies no token.",
            fix,
        )


def _decided(view: View, made: Subsystem) -> bool:
    """Whether the top-level resource itself says which keys *made* has."""
    sections = (each for each in view.stated if each.top_level and made in view.generated(each))
    return any(each.spec.at(KEYS) is not None for each in sections)


def _of_one(one: Subsystem, other: Subsystem) -> bool:
    """Whether the two are generated from one top-level resource."""
    return (one.owner, one.namespace, one.cluster) == (other.owner, other.namespace, other.cluster)


def cfg_16(view: View, log: Log) -> None:
    """JWT disabled means mTLS enabled."""
    for each in view.of(PORTAL, ANALYTICS):
        if each.spec.at(KEYS) is None or each.jwks:
            continue
        log.checked()
        if not each.validates:
            log.error(
                each.at(KEYS),
                f"{KEYS} is empty, which disables JWT, and {SWITCH} is still false. To disable JWT you have to"
                " enable mTLS"
                " again.",
                _TURN_ON,
                setting(view, each, True, SWITCH),
            )
