"""Reads distinguished names as people and tools write them: RFC 4514, RFC 1779, OpenSSL's forms, OIDs.  Pure.

Which end of a name comes first is not always to be seen: RFC 4514 starts with the last part (``CN=a,O=b``), OpenSSL
with the first (``O = b, CN = a``, ``/O=b/CN=a``).  So a text may have more than one reading, the likeliest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cryptography import x509
from cryptography.x509.oid import NameOID

_Part = tuple[str, str]
_SHORT = {
    "cn": NameOID.COMMON_NAME,
    "c": NameOID.COUNTRY_NAME,
    "l": NameOID.LOCALITY_NAME,
    "st": NameOID.STATE_OR_PROVINCE_NAME,
    "s": NameOID.STATE_OR_PROVINCE_NAME,
    "street": NameOID.STREET_ADDRESS,
    "o": NameOID.ORGANIZATION_NAME,
    "ou": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "dc": NameOID.DOMAIN_COMPONENT,
    "uid": NameOID.USER_ID,
    "e": NameOID.EMAIL_ADDRESS,
    "email": NameOID.EMAIL_ADDRESS,
    "sn": NameOID.SURNAME,
    "gn": NameOID.GIVEN_NAME,
    "t": NameOID.TITLE,
}
_TYPES: Mapping[str, x509.ObjectIdentifier] = {
    **{name.replace("_", "").lower(): oid for name, oid in vars(NameOID).items() if name.isupper()},
    **_SHORT,
}
_OID = re.compile(r"(?:oid\.)?(\d+(?:\.\d+)+)", re.IGNORECASE)
_TYPE = r"(?:[A-Za-z][A-Za-z0-9-]*|(?:OID\.|oid\.)?\d+(?:\.\d+)+)"
_SLASH = re.compile(rf"/(?={_TYPE}\s*=)")
_PLUS = re.compile(rf"\+(?={_TYPE}\s*=)")
_SPACED = re.compile(rf"^\s*{_TYPE}\s+=\s")
_STRINGS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x14: "latin-1", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}
_HEX = re.compile(r"\\(?:x)?([0-9A-Fa-f]{2})")


def readings(text: str) -> tuple[x509.Name, ...]:
    """The names that *text* may mean, at least one, the likeliest first; raises ValueError, which says why not one.

    >>> [name.rfc4514_string() for name in readings("C = DE, CN = app")]
    ['CN=app,C=DE', 'C=DE,CN=app']
    """
    if not text.strip():
        raise ValueError("it is empty")
    slashes = text.startswith("/")
    rdns = _slashed(text) if slashes else list(_separated(text))
    found = []
    for table in (_TYPES, {**_TYPES, "sn": NameOID.SERIAL_NUMBER}):
        name = [_rdn(parts, table) for parts in rdns]
        first_part_first = slashes or bool(_SPACED.match(text))
        orders = (name, name[::-1]) if first_part_first else (name[::-1], name)
        found += [x509.Name(order) for order in orders]
    return tuple(dict.fromkeys(found))


def _rdn(parts: list[_Part], table: Mapping[str, x509.ObjectIdentifier]) -> x509.RelativeDistinguishedName:
    return x509.RelativeDistinguishedName([_attribute(kind, value, table) for kind, value in parts])


def _attribute(kind: str, value: str, table: Mapping[str, x509.ObjectIdentifier]) -> x509.NameAttribute:
    if match := _OID.fullmatch(kind):
        oid = x509.ObjectIdentifier(match[1])
    elif kind.lower() in table:
        oid = table[kind.lower()]
    else:
        raise ValueError(f"{kind!r} is not a known attribute type; write its OID")
    return x509.NameAttribute(oid, value)


def _slashed(text: str) -> list[list[_Part]]:
    """``/C=DE/O=b+OU=c``; a slash in a value is one that no type follows."""
    rdns = _SLASH.split(text)[1:]
    if not rdns:
        raise ValueError("nothing after the first / has the form TYPE=value")
    return [[_pair(part) for part in _PLUS.split(rdn)] for rdn in rdns]


def _separated(text: str) -> Iterator[list[_Part]]:
    """``CN=a+OU=b, O="c, d"``; commas or semicolons."""
    parts: list[_Part] = []
    for piece, mark in _pieces(text):
        parts.append(_pair(piece))
        if mark != "+":
            yield parts
            parts = []


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """What stands between separators that are neither escaped nor quoted, and the separator behind it."""
    piece, quoted, letters = "", False, iter(text)
    for letter in letters:
        if letter == "\\":
            piece += letter + next(letters, "")
        elif letter == '"':
            quoted = not quoted
            piece += letter
        elif letter in ",;+" and not quoted:
            yield piece, letter
            piece = ""
        else:
            piece += letter
    if quoted:
        raise ValueError("a quotation mark is not closed")
    yield piece, ""


def _pair(piece: str) -> _Part:
    kind, equals, value = piece.partition("=")
    if not equals or not kind.strip():
        raise ValueError(f"{piece.strip()!r} does not have the form TYPE=value")
    return kind.strip(), _value(value)


def _value(text: str) -> str:
    text = text.lstrip(" ")
    # A space at the end counts where it is escaped.
    stripped = text.rstrip(" ")
    text = (
        stripped + " " if stripped.endswith("\\") and not stripped.endswith("\\\\") and stripped != text else stripped
    )
    if text.startswith("#"):
        return _encoded(text[1:])
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return _unescaped(text)


def _unescaped(text: str) -> str:
    """Without backslashes: before a character, or before two hexadecimal digits of UTF-8 (``\\C3`` or ``\\xC3``)."""
    found, at = bytearray(), 0
    while at < len(text):
        if match := _HEX.match(text, at):
            found += bytes.fromhex(match[1])
            at = match.end()
            continue
        at += text[at] == "\\"
        found += text[at : at + 1].encode()
        at += 1
    return found.decode("utf-8")


def _encoded(digits: str) -> str:
    """The string whose BER encoding is written in hexadecimal (RFC 4514 section 2.4)."""
    data = bytes.fromhex(digits)
    if len(data) < 2 or data[0] not in _STRINGS:
        raise ValueError(f"#{digits} is not an encoded string")
    start = 2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)
    length = data[1] if data[1] < 0x80 else int.from_bytes(data[2:start], "big")
    if len(data) - start != length:
        raise ValueError(f"#{digits} does not have the length it states")
    return data[start:].decode(_STRINGS[data[0]])
