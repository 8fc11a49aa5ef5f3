"""Adapts the catalogue to a gateway of a target file, which states the modes of its API.

Some requirements are tested on one API of the lab although any API with a mandatory certificate would do: here they are
tested on the API of the target.  What needs the lab (other APIs, resources, variants) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from harness.model.case import GOOD
from harness.model.catalogue import Cells, Requirement
from harness.model.vocabulary import CertificateEncoding
from harness.products.apk.header import HEADER
from harness.products.product import Gateway

PROFILES: Mapping[str, Mapping[str, str]] = {
    "apk-1.2": {"mtls": "optional", "oauth2": "mandatory"},
    "document": {"mtls": "mandatory", "oauth2": "mandatory"},
}
"""Readings of the documentation, and what each takes for granted where ``required`` is not set.  The first is usual."""

_NO_TOKEN = "str-no-token"
_FORGED, _PASSED_ON = "header-forged", "header-passed-on"
_PEM = frozenset({CertificateEncoding.PEM, CertificateEncoding.PEM_SPACES, CertificateEncoding.URL_ENCODED_PEM})
_OF_PEM = frozenset({"header-folded", "header-no-markers"})
"""Forms of the header that only PEM has."""
_ENCODED_VARIANT = "url-encoded-certificates"
Part = Callable[[Cells, Gateway], Cells | None]


def asked(row: Requirement, gateway: Gateway) -> Iterator[Cells]:
    """The cells of *row* that apply to *gateway*, on its path; the caller fills in ``flows``."""
    part = _PARTS.get(row.id, _table)
    for block in row.cells:
        if block.exports or block.params.path or block.params.variant not in ("", _ENCODED_VARIANT):
            continue
        found = part(block, gateway)
        if found is not None and _sendable(found, gateway):
            # Body and challenge of a 401 are tested once, by APK-10.
            plain = found.params if row.id == "APK-10" else replace(found.params, code="", challenge="")
            yield replace(found, flows=(), paths=(gateway.path,), params=plain)


def _sendable(block: Cells, gateway: Gateway) -> bool:
    """Whether the client sets the header: where it shows its certificate in the handshake, it can only forge one."""
    return bool(gateway.header) or all(name in (GOOD, _FORGED, _PASSED_ON) for name in block.transports)


def _table(block: Cells, gateway: Gateway) -> Cells | None:
    """A cell of the table of modes and credentials."""
    return block if block.params.combination and gateway.flow in block.flows else None


def _with_mtls(block: Cells, gateway: Gateway) -> Cells | None:
    return block if gateway.modes["mtls"] != "disabled" else None


def _mandatory(block: Cells, gateway: Gateway) -> Cells | None:
    return block if gateway.modes["mtls"] == "mandatory" else None


def _balanced(block: Cells, gateway: Gateway) -> Cells | None:
    """APK-5: behind a balancer what the table has as well; straight at the gateway, a header of another name."""
    stray = GOOD not in block.transports
    return _mandatory(block, gateway) if stray is bool(gateway.header) else None


def _header_form(block: Cells, gateway: Gateway) -> Cells | None:
    """APK-5-FORMS: markers, and what stands between the lines, are PEM's."""
    if not gateway.header:
        return None
    kept = tuple(name for name in block.transports if gateway.encoding in _PEM or name not in _OF_PEM)
    return _with_mtls(replace(block, transports=kept), gateway) if kept else None


def _encoded(block: Cells, gateway: Gateway) -> Cells | None:
    """APK-5-ENCODED: URL-encoded where that is expected, and nowhere that PEM is."""
    expected = "served" if gateway.encoding is CertificateEncoding.URL_ENCODED_PEM else "unauthenticated"
    if not gateway.header or gateway.encoding not in _PEM or block.expect != expected:
        return None
    return _mandatory(replace(block, params=replace(block.params, variant="")), gateway)


def _usual_name(block: Cells, gateway: Gateway) -> Cells | None:
    """APK-5-NAME: the usual name counts for nothing where another one is configured."""
    other = gateway.header not in ("", HEADER) and GOOD not in block.transports
    return _mandatory(block, gateway) if other else None


def _same_modes(block: Cells, gateway: Gateway) -> Cells | None:
    return block if gateway.header and gateway.flow in block.flows else None


def _forged(block: Cells, gateway: Gateway) -> Cells | None:
    """APK-8: where a token alone is sufficient, the forged header is the only credential."""
    mtls, oauth2 = gateway.modes["mtls"], gateway.modes["oauth2"]
    if gateway.header or mtls == "disabled" or (mtls, oauth2) == ("optional", "mandatory"):
        return None
    # The other flow's cells would test the same again.
    if "client-to-configured-header" in block.flows:
        return None
    return block if mtls == "mandatory" else replace(block, tokens=(_NO_TOKEN,))


def _withheld(block: Cells, gateway: Gateway) -> Cells | None:
    """APK-9: the backend reports which headers it received."""
    own = gateway.header if block.params.withheld_header == HEADER else ""
    params = replace(block.params, withheld_header=own or block.params.withheld_header)
    return _with_mtls(replace(block, params=params), gateway)


def _answer(block: Cells, gateway: Gateway) -> Cells | None:
    """APK-10: a request that lacks what is mandatory, or any credential, and that a proxy does not turn away."""
    mtls, oauth2 = gateway.modes["mtls"], gateway.modes["oauth2"]
    if mtls == oauth2 == "disabled":
        return None
    if oauth2 == "mandatory" and not gateway.header:
        return replace(block, certificates=(GOOD,), tokens=(_NO_TOKEN,))
    return replace(block, tokens=(GOOD if mtls == "mandatory" else _NO_TOKEN,))


_PARTS: Mapping[str, Part] = {
    "APK-4-EXACT": _with_mtls,
    "APK-5": _balanced,
    "APK-5-FORMS": _header_form,
    "APK-5-ENCODED": _encoded,
    "APK-5-NAME": _usual_name,
    "APK-5-BLANK": _same_modes,
    "APK-8": _forged,
    "APK-8-GATEWAY": _same_modes,
    "APK-9": _withheld,
    "APK-9-TOKEN": _withheld,
    "APK-10": _answer,
}
"""By requirement; of any other, the cells of the table apply."""
