"""Compares a client certificate's subject with the DN an operator configured.  Knows no certificates, only names."""

from __future__ import annotations

import re
import string

from cryptography import x509

Rdn = frozenset[tuple[str, str | bytes]]

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_SPACES = re.compile(" +")


def same_name(left: x509.Name, right: x509.Name) -> bool:
    """Whether two distinguished names are equal (RFC 5280 section 7.1).

    The whole RDNSequence counts, in its order; within a multi-valued RDN the order does not.  Values are compared
    caseIgnore: ASCII letters without case, runs of spaces as one, leading and trailing spaces dropped; the string type
    (UTF8String, PrintableString, ...) does not matter.  What RFC 4518 maps beyond ASCII (other scripts' case,
    compatibility forms) is *not* mapped: such a pair counts as different, which fails closed.
    """
    return rdn_sequence(left) == rdn_sequence(right)


def rdn_sequence(name: x509.Name) -> tuple[Rdn, ...]:
    """*name* prepared for comparison; raises ValueError for an RDN that repeats an attribute."""
    return tuple(_rdn(rdn) for rdn in name.rdns)


def _rdn(rdn: x509.RelativeDistinguishedName) -> Rdn:
    prepared = frozenset((attribute.oid.dotted_string, _value(attribute.value)) for attribute in rdn)
    if len(prepared) != len(list(rdn)):
        raise ValueError("an RDN repeats an attribute")
    return prepared


def _value(value: str | bytes) -> str | bytes:
    return _SPACES.sub(" ", value.strip(" ")).translate(_LOWER) if isinstance(value, str) else value
