"""How the servers of the topology are protected, as the files configure them.  Reads custom resources only."""

from __future__ import annotations

from collections.abc import Sequence

from harness.products.apic.rules.view import ANALYTICS, EVENTS, GATEWAY, KEYS, PORTAL, SWITCH, Subsystem, View
from harness.products.rules import ConfiguredServer, Question


def configured(question: Question) -> Sequence[ConfiguredServer]:
    """The endpoints that verify clients; a section of a top-level resource says less than what is in force."""
    stated = View(question).of(PORTAL, ANALYTICS, GATEWAY, EVENTS)
    return [_server(each) for each in stated if not each.top_level]


def _server(each: Subsystem) -> ConfiguredServer:
    names = {PORTAL: "portal", ANALYTICS: "analytics", EVENTS: "event-gateway"}
    name = names.get(each.kind) or ("v5c-gateway" if each.v5c else "api-gateway")
    if each.kind == EVENTS:
        return ConfiguredServer(name, certificate=True, token=False, place=each.at())
    # Analytics does not look at the token where it verifies the certificate.
    token = bool(each.jwks) and not (each.kind == ANALYTICS and each.validates)
    setting = KEYS if each.jwks and each.spec.at(SWITCH) is None else SWITCH
    return ConfiguredServer(name, certificate=each.validates, token=token, place=each.at(setting))
