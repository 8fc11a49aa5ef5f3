"""Distinguished names taken apart and put together again, whatever their shape.  Keeps the string type of each value.

The *identifying* attribute distinguishes clients: the common name, or what stands in its place where a name
has none.  Functions raise StimulusUnavailable where a name has not what is to be changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cryptography import x509
from cryptography.x509 import NameAttribute, NameOID, RelativeDistinguishedName
from cryptography.x509.name import _ASN1Type as StringType

from harness.stimuli.unavailable import StimulusUnavailable

ANOTHER = "another"
_TELLING = (NameOID.COMMON_NAME, NameOID.USER_ID, NameOID.SERIAL_NUMBER, NameOID.EMAIL_ADDRESS)
_COUNTRIES = frozenset({NameOID.COUNTRY_NAME, NameOID.JURISDICTION_COUNTRY_NAME})
_CN_LENGTH = 64
_PRINTABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_NARROW: dict[StringType, Callable[[str], bool]] = {
    StringType.PrintableString: lambda text: set(text) <= _PRINTABLE,
    StringType.NumericString: lambda text: set(text) <= set("0123456789 "),
    StringType.IA5String: str.isascii,
    StringType.VisibleString: str.isascii,
}


def identifying_attribute(name: x509.Name) -> NameAttribute:
    """The attribute of *name* that tells its client from others."""
    attributes = [attribute for rdn in reversed(name.rdns) for attribute in rdn]
    for oid in _TELLING:
        for attribute in attributes:
            if attribute.oid == oid:
                return attribute
    rest = [attribute for attribute in attributes if attribute.oid not in _COUNTRIES]
    if not rest:
        raise StimulusUnavailable("the client's subject has no attribute that identifies one client")
    return rest[0]


def attribute(oid: x509.ObjectIdentifier, value: str, like: NameAttribute | None = None) -> NameAttribute:
    """An attribute; its string is of the type that *like* has, as far as that type can hold *value*."""
    if oid == NameOID.COMMON_NAME and len(value) > _CN_LENGTH:
        raise StimulusUnavailable(
            f"the common name would be longer than {_CN_LENGTH} characters, the longest that RFC 5280 has"
        )
    kind = like._type if like is not None else None
    holds = _NARROW.get(kind) if kind is not None else None
    if kind is None:
        return NameAttribute(oid, value)
    return NameAttribute(oid, value, StringType.UTF8String if holds and not holds(value) else kind)


def with_value(name: x509.Name, value: str) -> x509.Name:
    """*name* whose identifying attribute has *value*."""
    old = identifying_attribute(name)
    return exchanged(name, old, attribute(old.oid, value, old))


def exchanged(name: x509.Name, old: NameAttribute, new: NameAttribute) -> x509.Name:
    """*name* with *new* in the place of *old*."""
    return x509.Name([RelativeDistinguishedName([new if item is old else item for item in rdn]) for rdn in name.rdns])


def with_part(name: x509.Name, *parts: NameAttribute) -> x509.Name:
    """*name* with *parts* before its identifying attribute, each an RDN of its own."""
    spot = _spot(name)
    return x509.Name([*name.rdns[:spot], *_single(parts), *name.rdns[spot:]])


def elsewhere(name: x509.Name) -> x509.Name:
    """*name* of another organization; one without any gets one."""
    found = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if not found:
        identifying_attribute(name)  # an empty name is of no organization at all
        return x509.Name([*_single([attribute(NameOID.ORGANIZATION_NAME, ANOTHER)]), *name.rdns])
    return exchanged(name, found[-1], attribute(NameOID.ORGANIZATION_NAME, other_than(found[-1].value), found[-1]))


def other_than(value: str | bytes) -> str:
    """An organization that is not *value*."""
    return ANOTHER if value != ANOTHER else f"{ANOTHER}-2"


def reordered(name: x509.Name) -> x509.Name:
    """The parts of *name* in the opposite order."""
    identifying_attribute(name)  # of an empty name there is nothing to say
    turned = x509.Name(list(reversed(name.rdns)))
    if turned == name:
        raise StimulusUnavailable("the client's subject has one part only, which can stand in no other order")
    return turned


def regrouped(name: x509.Name) -> x509.Name:
    """The same attributes in other RDNs: two that had one each share one, or those that shared one have one each."""
    shared = next((spot for spot, rdn in enumerate(name.rdns) if len(rdn) > 1), None)
    if shared is not None:
        return x509.Name([*name.rdns[:shared], *_single(name.rdns[shared]), *name.rdns[shared + 1 :]])
    for spot in range(len(name.rdns) - 1, 0, -1):
        one, other = next(iter(name.rdns[spot - 1])), next(iter(name.rdns[spot]))
        if one.oid != other.oid:
            return x509.Name([*name.rdns[: spot - 1], RelativeDistinguishedName([one, other]), *name.rdns[spot + 1 :]])
    alone = identifying_attribute(name)
    added = NameOID.ORGANIZATION_NAME if alone.oid != NameOID.ORGANIZATION_NAME else NameOID.ORGANIZATIONAL_UNIT_NAME
    spot = _spot(name)
    joined = RelativeDistinguishedName([*name.rdns[spot], attribute(added, ANOTHER)])
    return x509.Name([*name.rdns[:spot], joined, *name.rdns[spot + 1 :]])


def own_branch(name: x509.Name) -> x509.Name:
    """The part of the directory that *name* is in: all that stands above its last RDN, or itself where that is all."""
    _not_empty(name)
    return x509.Name(name.rdns[:-1] or name.rdns)


def other_branch(name: x509.Name) -> x509.Name:
    """A part of the directory that *name* is not in."""
    _not_empty(name)
    first = next(iter(name.rdns[0]))
    taken = first.oid == NameOID.ORGANIZATION_NAME and first.value == ANOTHER
    return x509.Name([attribute(NameOID.ORGANIZATION_NAME, other_than(ANOTHER if taken else ""))])


def beside(name: x509.Name, common_name: str) -> x509.Name:
    """*common_name* in the part of the directory that *name* is in, which a constrained CA may name as well."""
    above = name.rdns[:-1] if name.rdns else []
    return x509.Name([*above, *_single([attribute(NameOID.COMMON_NAME, common_name)])])


def _not_empty(name: x509.Name) -> None:
    if not name.rdns:
        raise StimulusUnavailable("the client's subject is empty, so it is in no part of a directory")


def _spot(name: x509.Name) -> int:
    requested = identifying_attribute(name)
    return next(spot for spot, rdn in enumerate(name.rdns) if any(item is requested for item in rdn))


def _single(parts: Iterable[NameAttribute]) -> list[RelativeDistinguishedName]:
    return [RelativeDistinguishedName([part]) for part in parts]
