"""Distinguished names in the forms that OpenSSL, Java, IBM's documentation and RFC 4514 write them in."""

from __future__ import annotations

import random

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from harness.decode.names import readings

N = NameOID


def name(*parts: tuple[x509.ObjectIdentifier, str] | list[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    """A name by its RDNs, the first part first."""
    rdns = [part if isinstance(part, list) else [part] for part in parts]
    return x509.Name(
        [x509.RelativeDistinguishedName([x509.NameAttribute(oid, value) for oid, value in rdn]) for rdn in rdns]
    )


PLAIN = name((N.COUNTRY_NAME, "DE"), (N.ORGANIZATION_NAME, "Example"), (N.COMMON_NAME, "app"))
MAIL = name((N.ORGANIZATION_NAME, "Example"), (N.COMMON_NAME, "app"), (N.EMAIL_ADDRESS, "ops@example.test"))
COMMA = name((N.ORGANIZATION_NAME, "Example, s.r.o."), (N.COMMON_NAME, "app"))
SERIAL = name((N.ORGANIZATION_NAME, "Example"), (N.COMMON_NAME, "app"), (N.SERIAL_NUMBER, "42"))
MULTI = name((N.ORGANIZATION_NAME, "Example"), [(N.COMMON_NAME, "app"), (N.ORGANIZATIONAL_UNIT_NAME, "Ops")])
POLISH = name((N.ORGANIZATION_NAME, "Żółw"), (N.COMMON_NAME, "app"))
DOMAIN = name((N.DOMAIN_COMPONENT, "test"), (N.USER_ID, "orders"), (N.COMMON_NAME, "app"))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("CN=app,O=Example,C=DE", PLAIN),
        ("CN=app, O=Example, C=DE", PLAIN),
        ("cn=app,o=Example,c=DE", PLAIN),
        ("CN=app;O=Example;C=DE", PLAIN),
        ("commonName=app,organizationName=Example,countryName=DE", PLAIN),
        ("C = DE, O = Example, CN = app", PLAIN),
        ("/C=DE/O=Example/CN=app", PLAIN),
        ("2.5.4.3=app,OID.2.5.4.10=Example,oid.2.5.4.6=DE", PLAIN),
        ("CN=#0C03617070,O=#13074578616D706C65,C=DE", PLAIN),
        ("emailAddress=ops@example.test,CN=app,O=Example", MAIL),
        ("EMAILADDRESS=ops@example.test, CN=app, O=Example", MAIL),
        ("E=ops@example.test,CN=app,O=Example", MAIL),
        ("1.2.840.113549.1.9.1=#16106f7073406578616d706c652e74657374,CN=app,O=Example", MAIL),
        ("O = Example, CN = app, emailAddress = ops@example.test", MAIL),
        ("/O=Example/CN=app/emailAddress=ops@example.test", MAIL),
        (r"CN=app,O=Example\, s.r.o.", COMMA),
        (r"CN=app,O=Example\2C s.r.o.", COMMA),
        ('CN=app,O="Example, s.r.o."', COMMA),
        ('O = "Example, s.r.o.", CN = app', COMMA),
        ("/O=Example, s.r.o./CN=app", COMMA),
        ("serialNumber=42,CN=app,O=Example", SERIAL),
        ("SERIALNUMBER=42, CN=app, O=Example", SERIAL),
        ("CN=app+OU=Ops,O=Example", MULTI),
        ("OU=Ops+CN=app,O=Example", MULTI),
        ("O = Example, CN = app + OU = Ops", MULTI),
        ("/O=Example/CN=app+OU=Ops", MULTI),
        ("CN=app,O=Żółw", POLISH),
        (r"CN=app,O=\C5\BB\C3\B3\C5\82w", POLISH),
        (r"/O=\xC5\xBB\xC3\xB3\xC5\x82w/CN=app", POLISH),
        ("CN=app,UID=orders,DC=test", DOMAIN),
        (r"CN=\ app\ ,O=b", name((N.ORGANIZATION_NAME, "b"), (N.COMMON_NAME, " app "))),
        (r"CN=a\+b\=c\"d\\,O=b", name((N.ORGANIZATION_NAME, "b"), (N.COMMON_NAME, 'a+b=c"d\\'))),
        ("/O=a/b/CN=c", name((N.ORGANIZATION_NAME, "a/b"), (N.COMMON_NAME, "c"))),
    ],
)
def test_the_forms_that_tools_write(text: str, meant: x509.Name) -> None:
    assert readings(text)[0] == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [("C=DE, O=Example, CN=app", PLAIN), ("CN = app, O = Example, C = DE", PLAIN), ("SN=42,CN=app,O=Example", SERIAL)],
)
def test_what_can_be_read_in_two_ways(text: str, meant: x509.Name) -> None:
    assert meant in readings(text)[1:]


@pytest.mark.parametrize("meant", [PLAIN, MAIL, COMMA, SERIAL, MULTI, POLISH, DOMAIN])
def test_what_the_library_writes_is_read(meant: x509.Name) -> None:
    assert readings(meant.rfc4514_string())[0] == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("nonsense", "'nonsense' does not have the form TYPE=value"),
        ("CN=app,", "does not have the form TYPE=value"),
        ("=app", "does not have the form TYPE=value"),
        ("/app", "has the form TYPE=value"),
        ("colour=red", "'colour' is not a known attribute type"),
        ("C=Germany", "2"),
        ("CN=", ""),
        ('CN="app', "not closed"),
        ("CN=#zz", ""),
        ("CN=#0C05617070", "does not have the length"),
        ("CN=#0201FF", "is not an encoded string"),
        (r"CN=\FF\FE", ""),
        ("99.99=a", ""),
        ("CN=a+CN=a", ""),
    ],
)
def test_what_is_no_name_is_reported(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        readings(text)


def test_nothing_but_a_value_error_comes_of_any_text() -> None:
    chosen, read = random.Random(7), 0
    for _ in range(3000):
        text = list(chosen.choice(['CN=app,O="a, b"', "/C=DE/CN=app+OU=b", r"CN=#0C03617070,O=\C5\BB"]))
        for _ in range(chosen.randint(0, 3)):
            text[chosen.randrange(len(text))] = chosen.choice('CN=,;+/\\"# 01é')
        try:
            read += bool(readings("".join(text)))
        except ValueError:
            continue
    assert 0 < read < 3000
