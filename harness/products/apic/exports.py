"""Exports that are judged in place of a user's: documented installations, and one mistake each.  Data."""

from __future__ import annotations

from collections.abc import Mapping

from harness import paths
from harness.model.fault import Fault
from harness.products.apic import exported_secrets
from harness.products.rules import Export

_FOLDER = paths.FIXTURES / "exports"
REFERENCE = (
    *(
        Export(f"sound/{name}", _FOLDER / "sound" / name, live=name == "upgraded")
        for name in (
            *("cp4i", "developer-portal", "in-cluster", "jwt", "jwt-disabled", "kubernetes", "two-data-centres"),
            "upgraded",
        )
    ),
    Export("sound/secrets", make=exported_secrets.sound),
)

_WRITTEN = {
    "export-route-in-clear-text": ("FLW-0", "an export has a route that offers an endpoint in clear text", ()),
    "export-route-terminates": ("FLW-3", "an export has a route that terminates TLS in front of an mTLS endpoint", ()),
    "export-nothing-verified": ("CFG-1", "an export has mTLS and JWT both off at the portal", ()),
    "export-switch-no-truth-value": ("CFG-2", "an export has a word in place of true or false", ()),
    "export-v5c-without-mtls": ("CFG-6", "an export disables mTLS of analytics beside a v5 compatible gateway", ()),
    "export-events-without-mtls": ("CFG-7", "an export disables mTLS of analytics beside an event gateway", ()),
    "export-jwt-too-early": ("CFG-8", "an export enables JWT on ingestion in a release that does not support it", ()),
    "export-override-incomplete": ("CFG-9", "an export has a dataPowerOverride that lacks a part", ()),
    "export-other-jwks-path": ("CFG-10", "an export fetches keys from another path", ()),
    "export-other-service-path": ("CFG-11", "an export fetches keys from another path of the service", ()),
    "export-old-switch-name": ("CFG-12", "an export has the switch under its deprecated name", ()),
    "export-top-level-mtls": ("CFG-13", "an export enables mTLS to the gateway under a top-level resource", ()),
    "export-setting-below": ("CFG-14", "an export has a setting in a generated resource only", ()),
    "export-keys-in-part": ("CFG-15", "an export has jwksUrl in some generated resources only", ()),
    "export-jwt-disabled-alone": ("CFG-16", "an export disables JWT and leaves mTLS off", ("CFG-1",)),
    "export-sender-without-jwt": ("CFG-17", "an export's gateway sends no token to an analytics that requires one", ()),
    "export-keys-unverified": ("CFG-18", "an export fetches keys from a server that it does not verify", ()),
    "export-services-between-sites": ("FLW-6", "an export uses services between two data centres", ()),
    "export-short-lifetime": ("PKI-1", "an export requests a lifetime other than the documented one", ()),
    "export-other-issuer": ("PKI-2", "an export has a certificate from a CA other than the documented one", ()),
    "export-other-use": ("PKI-3", "an export has a certificate with a usage other than the documented one", ()),
    "export-long-names": ("PKI-4", "an export has unprefixed names beside a top-level resource", ()),
    "export-other-ingestion-client": ("PKI-5", "an export names another ingestion client than it has", ()),
    "export-other-admin-client": ("PKI-6", "an export names another admin client than it has", ()),
    "export-other-site-host": ("PKI-9", "an export's replication certificate is for another host", ()),
    "export-missing-name": ("PKI-10", "an export has a server certificate that lacks a required name", ()),
    "export-ca-not-copied": ("PKI-14", "an export has a Certificate object where ingress-ca is copied", ()),
}
_LIVE = "export-not-what-runs"
_MADE = {
    "export-former-key": (
        "a certificate of an export is signed by a former key of its CA",
        exported_secrets.former_key,
    ),
    "export-expired": ("a certificate of an export has expired", exported_secrets.expired),
    "export-no-annotation": ("a secret of an export does not name its issuer", exported_secrets.no_annotation),
    "export-other-ca": ("a namespace of an export has an ingress-ca of its own", exported_secrets.other_ca),
}
_IMPLIES = {"export-former-key": ("PKI-5", "PKI-6", "PKI-16-FILES"), "export-other-ca": ()}


def _fault(name: str, summary: str, implies: tuple[str, ...]) -> Fault:
    return Fault(name, "files", ("exports",), summary, implies, "files")


FAULTS: Mapping[str, tuple[Fault, Export]] = {
    **{
        name: (_fault(name, summary, implies), Export(f"broken/{row}", _FOLDER / "broken" / f"{row}.yaml"))
        for name, (row, summary, implies) in _WRITTEN.items()
    },
    **{
        name: (_fault(name, summary, _IMPLIES.get(name, ())), Export(f"broken/{name}", make=make))
        for name, (summary, make) in _MADE.items()
    },
    _LIVE: (
        _fault(_LIVE, "an export configures JWT for a server that verifies the certificate only", ()),
        Export("broken/not-what-runs", _FOLDER / "live" / "jwt-portal.yaml", live=True),
    ),
}
