"""The CA that a person names."""

from __future__ import annotations

from harness.errors import UsageError
from harness.products.apic.rules.certificates import CA, ROWS, Row, row_of

_ROOT = "root-ca"
"""Above ingress-ca on virtual appliances.  Source: Certificate reference VMware (10.0.8): "Do not update this"."""


def authority(name: str, instances: frozenset[str] = frozenset()) -> Row:
    """The CA that a person calls *name*; raises :class:`UsageError`."""
    row = row_of(name, instances)
    if row is None or row.use != CA:
        known = ", ".join(each.name for each in ROWS if each.use == CA)
        raise UsageError(f"{name!r} {_what(name, row)}", hint=f"hopproof renew CA PATH...; CA is one of: {known}")
    return row


def _what(name: str, row: Row | None) -> str:
    if row is not None:
        return "is not a CA; cert-manager renews it when its secret is deleted"
    if name == _ROOT:
        return "is the root above ingress-ca on virtual appliances; the documents say not to update it"
    return "is not a CA of API Connect"
