"""The PKIs that servers outside are tried with: each shape is a folder of files with the same names.

``ca`` signed the server, ``trusted`` is what servers trust clients by, ``issuing`` (with its key) signed the client's
certificate, ``other`` is a CA that must not be trusted.  ``server.pem`` and ``client.pem`` hold certificate and key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "svc.test"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_OIDS = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "E": NameOID.EMAIL_ADDRESS,
    "SN": NameOID.SERIAL_NUMBER,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
}
_CERT_MANAGER = ("O=cert-manager", "CN=orders-client")
_FOREIGN = ("C=DE", "ST=Bavaria", "L=Munich", "O=Example GmbH", "OU=Orders", "CN=orders-client")
_URI = x509.UniformResourceIdentifier("spiffe://example.test/orders-client")


@dataclass(frozen=True)
class Issued:
    """A certificate, its key and the intermediates that go along."""

    certificate: x509.Certificate
    key: Key
    along: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True)
class Maker:
    """Issues certificates as one kind of tool does."""

    new_key: Callable[[], Key] = field(default=lambda: ec.generate_private_key(ec.SECP256R1()))
    key_identifiers: bool = True

    def ca(self, *rdns: str, by: Issued | None = None) -> Issued:
        """A CA, self-signed unless *by* another."""
        return self._issue(name(rdns), by, is_ca=True)

    def leaf(self, by: Issued, subject: x509.Name, usage: x509.ObjectIdentifier, *san: x509.GeneralName) -> Issued:
        """A leaf; what *by* needs to be verified goes along, a root does not."""
        root = by.certificate.issuer == by.certificate.subject
        issued = self._issue(subject, by, usage=usage, san=san)
        return Issued(issued.certificate, issued.key, () if root else (by.certificate,))

    def _issue(
        self,
        subject: x509.Name,
        by: Issued | None,
        *,
        is_ca: bool = False,
        usage: x509.ObjectIdentifier | None = None,
        san: Iterable[x509.GeneralName] = (),
    ) -> Issued:
        key, now = self.new_key(), datetime.now(UTC)
        signer = by.key if by else key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by.certificate.subject if by else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=90))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        for extension, critical in self._extensions(key, signer if by else None, is_ca, usage, tuple(san)):
            builder = builder.add_extension(extension, critical)
        return Issued(builder.sign(signer, hashes.SHA256()), key)

    def _extensions(
        self,
        key: Key,
        signer: Key | None,
        is_ca: bool,
        usage: x509.ObjectIdentifier | None,
        san: tuple[x509.GeneralName, ...],
    ) -> Iterable[tuple[x509.ExtensionType, bool]]:
        if self.key_identifiers:
            no = dict.fromkeys(
                ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
            )
            signs = {"digital_signature": not is_ca, "key_cert_sign": is_ca, "crl_sign": is_ca}
            yield x509.KeyUsage(**no, **signs, key_encipherment=False), True
            yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
            if signer:
                yield x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        if usage:
            yield x509.ExtendedKeyUsage([usage]), False
        if san:
            yield x509.SubjectAlternativeName(san), False


def name(rdns: Iterable[str]) -> x509.Name:
    """A name of ``TYPE=value`` parts, most significant first; parts joined with ``+`` share an RDN."""
    return x509.Name(
        x509.RelativeDistinguishedName(
            x509.NameAttribute(_OIDS[part.partition("=")[0]], part.partition("=")[2]) for part in rdn.split(" + ")
        )
        for rdn in rdns
    )


def _rsa() -> Key:
    return rsa.generate_private_key(65537, 2048)


def _server(maker: Maker, by: Issued) -> Issued:
    names = (x509.DNSName(HOST), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
    return maker.leaf(by, name([f"CN={HOST}"]), ExtendedKeyUsageOID.SERVER_AUTH, *names)


def client(maker: Maker, by: Issued, rdns: Iterable[str], *san: x509.GeneralName) -> Issued:
    """A certificate for clients."""
    return maker.leaf(by, name(rdns), ExtendedKeyUsageOID.CLIENT_AUTH, *san)


Shape = Mapping[str, Issued]


def _one_ca(maker: Maker, rdns: Iterable[str], *san: x509.GeneralName, **more: Issued) -> dict[str, Issued]:
    ca = maker.ca("CN=lab-ca")
    return {
        "ca": ca,
        "trusted": ca,
        "issuing": ca,
        "server": _server(maker, ca),
        "client": client(maker, ca, rdns, *san),
        "other": maker.ca("CN=other-ca"),
        **more,
    }


def _foreign(maker: Maker) -> Shape:
    """A company's PKI: another CA for clients than for servers, an issuing CA below its root, names of six parts."""
    servers = maker.ca("C=DE", "O=Example GmbH", "CN=Example Server Root")
    root = maker.ca("C=DE", "O=Example GmbH", "OU=PKI", "CN=Example Client Root")
    issuing = maker.ca("C=DE", "O=Example GmbH", "OU=PKI", "CN=Example Issuing CA 2", by=root)
    return {
        "ca": servers,
        "trusted": root,
        "issuing": issuing,
        "server": _server(maker, servers),
        "client": client(maker, issuing, _FOREIGN, _URI, x509.DNSName("orders-client.example.test")),
        "other": maker.ca("C=DE", "O=Example GmbH", "OU=PKI", "CN=Example Device Root"),
    }


def _intermediate() -> Shape:
    """API Connect on VMware: root-ca, ingress-ca below it, leaves of both sides below that."""
    maker = Maker()
    root = maker.ca("CN=root-ca")
    ingress = maker.ca("CN=ingress-ca", by=root)
    leaves = {"server": _server(maker, ingress), "client": client(maker, ingress, _CERT_MANAGER)}
    return {"ca": root, "trusted": root, "issuing": ingress, "other": maker.ca("CN=other-ca"), **leaves}


def _renewed() -> Shape:
    """A CA renewed under its own name with a new key; the client's and the server's old certificates lie about."""
    maker = Maker()
    old = maker.ca("CN=lab-ca")
    stale = {"client-stale": client(maker, old, _CERT_MANAGER), "server-stale": _server(maker, old)}
    return _one_ca(maker, _CERT_MANAGER, old=old, **stale)


def _subjects() -> Shape:
    """Clients with the subjects that people have."""
    shape = _one_ca(Maker(), _CERT_MANAGER)
    more = {
        "email": ("C=DE", "O=Example", "CN=orders-client", "E=ops@example.test"),
        "comma": ("O=Example, s.r.o.", "CN=orders-client"),
        "multi": ("O=Example", "CN=orders-client + OU=Ops"),
        "serial": ("O=Example", "CN=orders-client", "SN=42"),
        "uid": ("DC=test", "UID=orders", "CN=orders-client"),
        "umlaut": ("O=Żółw", "CN=orders-client"),
    }
    return {**shape, **{stem: client(Maker(), shape["issuing"], rdns) for stem, rdns in more.items()}}


SHAPES: Mapping[str, Callable[[], Shape]] = {
    "cert-manager": lambda: _one_ca(Maker(), _CERT_MANAGER),
    "other-organization": lambda: _one_ca(Maker(), ("O=Example", "CN=orders-client")),
    "spiffe": lambda: _one_ca(Maker(), ("O=Example", "CN=orders-client"), _URI),
    "foreign-rsa": lambda: _foreign(Maker(_rsa)),
    "foreign-ec": lambda: _foreign(Maker()),
    "intermediate": _intermediate,
    "no-key-identifier": lambda: _one_ca(Maker(key_identifiers=False), _CERT_MANAGER),
    "same-named": lambda: _one_ca(Maker(), _CERT_MANAGER, other=Maker().ca("CN=lab-ca")),
    "renewed": _renewed,
    "subjects": _subjects,
}


def write(shape: str, folder: Path) -> str:
    """Write the PKI *shape* into *folder*; the client's subject, as RFC 4514 has it."""
    folder.mkdir(parents=True, exist_ok=True)
    issued = SHAPES[shape]()
    for stem, item in issued.items():
        certificates = b"".join(c.public_bytes(ser.Encoding.PEM) for c in (item.certificate, *item.along))
        (folder / f"{stem}.crt").write_bytes(certificates)
        _secret(folder / f"{stem}.key", _pem(item.key))
        _secret(folder / f"{stem}.pem", certificates + _pem(item.key))
    root = issued["ca"].certificate.public_bytes(ser.Encoding.PEM)
    (folder / "server-full.crt").write_bytes((folder / "server.crt").read_bytes() + root)
    anchors = [issued["trusted"], issued.get("old", issued["other"])]
    (folder / "both.crt").write_bytes(b"".join(item.certificate.public_bytes(ser.Encoding.PEM) for item in anchors))
    _revocation(folder, issued)
    _signing(folder)
    return issued["client"].certificate.subject.rfc4514_string()


def _revocation(folder: Path, issued: Shape) -> None:
    """A revoked twin of the client's certificate, and a CRL of each CA between it and the anchor."""
    issuing, now = issued["issuing"], datetime.now(UTC)
    revoked = client(Maker(), issuing, _CERT_MANAGER)
    (folder / "revoked.crt").write_bytes(revoked.certificate.public_bytes(ser.Encoding.PEM))
    _secret(folder / "revoked.key", _pem(revoked.key))
    lists = b""
    for ca in {id(item): item for item in (issuing, issued["trusted"])}.values():
        builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
        builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=9))
        if ca is issuing:
            entry = x509.RevokedCertificateBuilder().serial_number(revoked.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - timedelta(hours=1)).build())
        lists += builder.sign(ca.key, hashes.SHA256()).public_bytes(ser.Encoding.PEM)
    (folder / "crl.pem").write_bytes(lists)


def _signing(folder: Path) -> None:
    """The issuer's keys, RSA and EC, and what it publishes, well or badly."""
    key, es256 = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    _secret(folder / "signing.key", _pem(key))
    _secret(folder / "es256.key", _pem(es256))
    public, form = key.public_key(), ser.PublicFormat
    (folder / "signing-spki.pem").write_bytes(public.public_bytes(ser.Encoding.PEM, form.SubjectPublicKeyInfo))
    (folder / "signing-pkcs1.pem").write_bytes(public.public_bytes(ser.Encoding.PEM, form.PKCS1))
    (folder / "es256.pem").write_bytes(es256.public_key().public_bytes(ser.Encoding.PEM, form.SubjectPublicKeyInfo))
    good, decoy = _jwk(public), _jwk(rsa.generate_private_key(65537, 2048).public_key())
    ed25519 = {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    named, nameless = {**good, "kid": "k1"}, [good, decoy]
    sets: dict[str, object] = {
        "usual": {"keys": [named]},
        "duplicate-kid": {"keys": [named, {**decoy, "kid": "k1"}]},
        "duplicate-kid-2": {"keys": [{**decoy, "kid": "k1"}, named]},
        "two-without-kid": {"keys": nameless},
        "two-without-kid-2": {"keys": nameless[::-1]},
        "mixed": {"keys": [ed25519, {"kty": "oct", "kid": "o", "k": "c2VjcmV0"}, named]},
        "no-kid": {"keys": [good]},
        "bare-jwk": named,
        "bare-array": [named],
        "only-okp": {"keys": [ed25519]},
        "empty": {"keys": []},
        "kid-number": {"keys": [{**good, "kid": 1}]},
    }
    for stem, data in sets.items():
        (folder / f"{stem}.json").write_text(json.dumps(data), "utf-8")
    (folder / "bom.json").write_text("\ufeff" + json.dumps(sets["usual"]), "utf-8")


def _jwk(key: rsa.RSAPublicKey) -> dict[str, object]:
    members: dict[str, object] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key))
    return {**members, "use": "sig", "alg": "RS256"}


def _pem(key: Key) -> bytes:
    return key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())


def _secret(file: Path, data: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(data)
