"""Certificate classes on the subject: genuine certificates of the right CA that name nearly the client, or another.

Each is accepted by TLS; only a server that compares the whole distinguished name turns it away.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.x509 import NameOID

from harness.pki.issue import Identity
from harness.stimuli.certificates.naming import (
    ANOTHER,
    attribute,
    elsewhere,
    exchanged,
    identifying_attribute,
    regrouped,
    reordered,
    with_part,
    with_value,
)
from harness.stimuli.certificates.table import Classes, known_as, leaf
from harness.stimuli.credentials import Credentials
from harness.stimuli.registry import MadeBy, Need, needs
from harness.stimuli.unavailable import StimulusUnavailable

CLASSES = Classes(made_by=MadeBy.ISSUER, needs=needs(Need.SUBJECT))

_STRANGER = "unregistered-client"
_LONGEST = 62
# Latin to Cyrillic, alike to the eye.
_HOMOGLYPHS = str.maketrans(
    "aceijopsxyABCEHIKMOPSTXY",
    "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0445\u0443"
    "\u0410\u0412\u0421\u0415\u041d\u0406\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u0423",
)


def _named(pki: Credentials, secret: str, change: Callable[[x509.Name], x509.Name]) -> Identity:
    """The client's certificate with its subject changed."""
    return leaf(pki, secret, subject=change(pki.profile(secret).subject))


def _text(name: x509.Name) -> str:
    """The value that tells clients apart."""
    value = identifying_attribute(name).value
    if not isinstance(value, str):
        raise StimulusUnavailable("the client's subject is not made of text")
    return value


def _respelt(value: str, how: Callable[[str], str]) -> str:
    """*value*, or of a mail address what stands before its host, changed."""
    mailbox, at, host = value.partition("@")
    return how(mailbox) + at + host


def _stranger(name: x509.Name) -> x509.Name:
    return with_value(name, _respelt(_text(name), lambda _: _STRANGER))


@CLASSES.add("id-unregistered-dn", lets_in="any certificate of the CA")
def _unregistered(pki: Credentials, secret: str) -> Identity:
    """an unregistered subject: CN=unregistered-client, the rest as registered"""
    return _named(pki, secret, _stranger)


@CLASSES.add("id-reissued")
def _reissued(pki: Credentials, secret: str) -> Identity:
    """the client's certificate issued again: same CA, subject and key, another serial number"""
    return leaf(pki, secret)


@CLASSES.add("id-second-registered")
def _second(pki: Credentials, secret: str) -> Identity:
    """the second certificate that is registered with the server for the same purpose"""
    second = pki.second(secret)
    if second is None:
        raise StimulusUnavailable("no second certificate is registered (client.second in the target file)")
    return second


@CLASSES.add("id-other-client")
def _other_client(pki: Credentials, secret: str) -> Identity:
    """a name that begins with the registered one: CN=<client>-2, the rest as registered"""
    return _named(pki, secret, lambda name: with_value(name, _respelt(_text(name), lambda own: f"{own[:_LONGEST]}-2")))


@CLASSES.add("id-prefixed")
def _ends_like(pki: Credentials, secret: str) -> Identity:
    """a name that ends with the registered one: CN=another-<client>, the rest as registered"""
    return _named(pki, secret, lambda name: with_value(name, f"{ANOTHER}-{_text(name)}"))


@CLASSES.add("id-cn-only-match")
def _cn_only(pki: Credentials, secret: str) -> Identity:
    """the registered CN with another organization"""
    return _named(pki, secret, elsewhere)


@CLASSES.add("id-missing-rdn")
def _missing_rdn(pki: Credentials, secret: str) -> Identity:
    """the registered CN alone, without the rest of the registered subject"""
    return _named(pki, secret, _telling_alone)


def _telling_alone(name: x509.Name) -> x509.Name:
    alone = x509.Name([identifying_attribute(name)])
    if alone == name:
        raise StimulusUnavailable("the client's subject has one part only, so none can be left out")
    return alone


@CLASSES.add("id-extra-rdn")
def _extra_rdn(pki: Credentials, secret: str) -> Identity:
    """the registered subject plus OU=another"""
    unit = attribute(NameOID.ORGANIZATIONAL_UNIT_NAME, ANOTHER)
    return _named(pki, secret, lambda name: with_part(name, unit))


@CLASSES.add("id-rdn-order")
def _rdn_order(pki: Credentials, secret: str) -> Identity:
    """the registered subject's RDNs in the opposite order"""
    return _named(pki, secret, reordered)


@CLASSES.add("id-multivalued")
def _multivalued(pki: Credentials, secret: str) -> Identity:
    """two of the registered attributes in one multi-valued RDN, such as CN=<client>+O=cert-manager"""
    return _named(pki, secret, regrouped)


@CLASSES.add("id-case")
def _case(pki: Credentials, secret: str) -> Identity:
    """the registered CN in upper case: equal by RFC 5280 section 7.1, different as a string"""
    return _named(pki, secret, lambda name: with_value(name, _text(name).upper()))


@CLASSES.add("id-multiple-cn")
def _multiple_cn(pki: Credentials, secret: str) -> Identity:
    """two CNs, one of them the registered one"""
    return _named(
        pki,
        secret,
        lambda name: with_part(
            name, attribute(identifying_attribute(name).oid, _respelt(_text(name), lambda _: _STRANGER))
        ),
    )


@CLASSES.add("id-cn-injection")
def _cn_injection(pki: Credentials, secret: str) -> Identity:
    """one CN whose value reads like the rest of the registered subject if it is not escaped: <client>,O=cert-manager"""
    return _named(pki, secret, _injected)


def _injected(name: x509.Name) -> x509.Name:
    own, (head, _, rest) = identifying_attribute(name), name.rfc4514_string().partition("=")
    mark = own.rfc4514_attribute_name
    written = rest if head == mark and "," in rest else f"{_STRANGER},{mark}={_text(name)}"
    return x509.Name([attribute(own.oid, written, own)])


@CLASSES.add("id-oid-in-value")
def _oid_in_value(pki: Credentials, secret: str) -> Identity:
    """the registered name in UID in place of CN"""
    return _named(pki, secret, _retyped)


def _retyped(name: x509.Name) -> x509.Name:
    own = identifying_attribute(name)
    other = NameOID.COMMON_NAME if own.oid == NameOID.USER_ID else NameOID.USER_ID
    return exchanged(name, own, attribute(other, _text(name)))


@CLASSES.add("id-san-only")
def _san_only(pki: Credentials, secret: str) -> Identity:
    """another subject; the registered name is only a DNS name in the subject alternative names"""
    own = pki.profile(secret).subject
    host = _text(own)
    if not host.isascii():
        raise StimulusUnavailable("the client's name is not ASCII, which a DNS name has to be")
    return leaf(pki, secret, subject=_stranger(own), names=known_as(pki, secret, host))


@CLASSES.add("id-unicode")
def _unicode(pki: Credentials, secret: str) -> Identity:
    """the registered CN spelt with Cyrillic letters that look the same"""
    return _named(pki, secret, _lookalike)


def _lookalike(name: x509.Name) -> x509.Name:
    own = _text(name)
    if (other := own.translate(_HOMOGLYPHS)) == own:
        raise StimulusUnavailable("the client's name has no letter that another one looks like")
    return with_value(name, other)


@CLASSES.add("id-empty-subject")
def _empty_subject(pki: Credentials, secret: str) -> Identity:
    """an empty subject"""
    return leaf(pki, secret, subject=x509.Name([]))
