"""What people get wrong when they verify tokens: one verifier a fault, and the classes of token that get in there."""

from __future__ import annotations

import base64
import json
import sqlite3
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.tests.faulty.verifier import AUDIENCE, ISSUER, KID, Bad, Members, Verifier, hmac_fits, number, octets


class AlgNone(Verifier):
    """Takes alg none in any case, whatever follows."""

    def header(self, header: Members) -> None:
        if str(header.get("alg")).lower() != "none":
            super().header(header)

    def verify(self, token: str) -> None:
        super().verify(token if token.rpartition(".")[2] else f"{token}AA")

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        if str(header.get("alg")).lower() != "none":
            super().signature(header, signed, signature)


class Confused(Verifier):
    """Takes an HMAC under any of ``secrets`` for a signature."""

    def secrets(self) -> list[bytes]:
        return []

    def header(self, header: Members) -> None:
        super().header({**header, "alg": self.alg})

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        if not any(hmac_fits(secret, signed, signature, header.get("alg")) for secret in self.secrets()):
            super().signature(header, signed, signature)

    def form(self, encoding: Encoding, format: PublicFormat) -> bytes:  # noqa: A002 - as cryptography calls it
        return bytes(self.key.public_bytes(encoding, format))


class WithSpki(Confused):
    def secrets(self) -> list[bytes]:
        return [self.pem()]


class WithSpkiStripped(Confused):
    def secrets(self) -> list[bytes]:
        return [self.pem().strip()]


class WithPkcs1(Confused):
    def secrets(self) -> list[bytes]:
        return [self.form(Encoding.PEM, PublicFormat.PKCS1)]


class WithPkcs1Stripped(Confused):
    def secrets(self) -> list[bytes]:
        return [self.form(Encoding.PEM, PublicFormat.PKCS1).strip()]


class WithDer(Confused):
    def secrets(self) -> list[bytes]:
        return [self.form(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]


class WithModulus(Confused):
    def secrets(self) -> list[bytes]:
        number_ = self.key.public_numbers().n
        return [number_.to_bytes((number_.bit_length() + 7) // 8, "big")]


class WithJwk(Confused):
    def secrets(self) -> list[bytes]:
        bare = jwt.get_algorithm_by_name(self.alg).to_jwk(self.key, as_dict=True)
        requested = {name: bare[name] for name in sorted(bare) if name in ("crv", "e", "kty", "n", "x", "y")}
        return [json.dumps(requested, separators=(",", ":")).encode()]


class WithNothing(Confused):
    def secrets(self) -> list[bytes]:
        return [b""]


class WithAWord(Confused):
    def secrets(self) -> list[bytes]:
        return [b"changeme"]


class ByHeader(Verifier):
    """Finds the key by what the header says; ``found`` gives it, and None leaves the right one."""

    def found(self, header: Members) -> Any:
        return None

    def header(self, header: Members) -> None:
        super().header({**header, "kid": KID, "alg": self.alg})

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        key = self.found(header)
        if isinstance(key, bytes):
            if not hmac_fits(key, signed, signature, header.get("alg")):
                raise Bad("signature")
        elif key is not None:
            self.check(key, self.alg, signed, signature)
        elif header.get("kid") != KID:
            raise Bad("kid")
        else:
            super().signature(header, signed, signature)


class FromFile(ByHeader):
    def found(self, header: Members) -> Any:
        file = Path("/srv/keys").joinpath(str(header.get("kid"))).resolve()
        return file.read_bytes() if file.exists() else None


class FromDatabase(ByHeader):
    def found(self, header: Members) -> Any:
        with sqlite3.connect(":memory:") as base:
            base.execute("CREATE TABLE keys (name TEXT, secret TEXT)")
            row = base.execute(f"SELECT secret FROM keys WHERE name = '{header.get('kid')}'").fetchone()
        return row[0].encode() if row else None


class FromHeaderJwk(ByHeader):
    def found(self, header: Members) -> Any:
        jwk = header.get("jwk")
        if jwk and jwk["kty"] == "oct":
            return octets(jwk["k"])
        return jwt.PyJWK(jwk, algorithm=self.alg).key if jwk else None


class FromHeaderX5c(ByHeader):
    def found(self, header: Members) -> Any:
        chain = header.get("x5c")
        return x509.load_der_x509_certificate(base64.b64decode(chain[0])).public_key() if chain else None


class FromUrl(ByHeader):
    """Fetches; ``member`` says what of the header names the place."""

    member = "jku"

    def found(self, header: Members) -> Any:
        url = str(header.get(self.member, ""))
        if not url.startswith(("http:", "data:")):
            return None
        with urllib.request.urlopen(url, timeout=3) as answer:
            text = answer.read()
        if text.startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(text).public_key()
        return jwt.PyJWKSet.from_json(text.decode()).keys[0].key


class FromX5u(FromUrl):
    member = "x5u"


class FromKidUrl(FromUrl):
    member = "kid"


class FetchesAndRefuses(Verifier):
    """Looks at jku, and then refuses all the same: the request it makes is the fault."""

    def header(self, header: Members) -> None:
        if "jku" in header:
            urllib.request.urlopen(header["jku"], timeout=3).close()
        super().header(header)


class UnknownKidPasses(Verifier):
    """Verifies only what it finds a key for."""

    def header(self, header: Members) -> None:
        super().header({**header, "kid": KID})

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        if header.get("kid") == KID:
            super().signature(header, signed, signature)


class Zero(Verifier):
    """ECDSA with the check of r and s left out (CVE-2022-21449)."""

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        if any(signature):
            super().signature(header, signed, signature)


class Remembers(Verifier):
    """Caches what it has verified by header and claims."""

    def __init__(self, key: Any, alg: str) -> None:
        super().__init__(key, alg)
        self.seen: set[bytes] = set()

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        if signed not in self.seen:
            super().signature(header, signed, signature)
            self.seen.add(signed)


class Unsigned(Verifier):
    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        return


class AnyRsa(Verifier):
    """Verifies with whatever algorithm of its key's kind the header names."""

    def header(self, header: Members) -> None:
        super().header({**header, "alg": self.alg})

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        if str(header.get("alg"))[:1] != self.alg[:1] and header.get("alg") not in ("PS256", "RS256"):
            raise Bad("alg")
        self.check(self.key, header["alg"], signed, signature)


class DerToo(Verifier):
    """ECDSA as DER, too."""

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        try:
            decode_dss_signature(signature)
        except ValueError:
            super().signature(header, signed, signature)
        else:
            self.key.verify(signature, signed, ec.ECDSA(SHA256()))


class NoCrit(Verifier):
    def header(self, header: Members) -> None:
        super().header({name: value for name, value in header.items() if name != "crit"})


class QuarterHour(Verifier):
    """A leeway of fifteen minutes."""

    def times(self, claims: Members) -> None:
        super().times({**claims, "exp": number(claims["exp"]) + 900, "nbf": number(claims.get("nbf", 0)) - 900})


class Timeless(Verifier):
    def times(self, claims: Members) -> None:
        return


class AnyAudience(Verifier):
    def audience(self, audience: Any) -> None:
        return


class AudiencePrefix(Verifier):
    def audience(self, audience: Any) -> None:
        if not isinstance(audience, str) or not AUDIENCE.startswith(audience):
            super().audience(audience)


class IssuerWithoutSlash(Verifier):
    def issuer(self, issuer: Any) -> None:
        super().issuer(ISSUER if str(issuer).rstrip("/") == ISSUER.rstrip("/") else issuer)


class QueryToken(Verifier):
    def token(self, fields: Mapping[str, list[str]], query: str) -> str:
        name, _, token = query.partition("=")
        return token if name == "access_token" else super().token(fields, query)


class FirstOfTwo(Verifier):
    def token(self, fields: Mapping[str, list[str]], query: str) -> str:
        return super().token({"authorization": fields.get("authorization", [])[:1]}, query)


class AnyPadding(Verifier):
    """Decodes base64 with or without padding."""

    def verify(self, token: str) -> None:
        super().verify(token.rstrip("="))


class Fetching(Verifier):
    """Fetches its key from ``url`` when it has none; ``drops`` the whole set for one key that it does not know."""

    url = ""
    drops = False

    def __init__(self, key: Any, alg: str) -> None:
        super().__init__(None, alg)

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        if self.key is None:
            with urllib.request.urlopen(self.url, timeout=3) as answer:
                entries = json.loads(answer.read())["keys"]
            kept = entries if self.drops else [entry for entry in entries if entry["kty"] == "RSA"]
            found = {entry["kid"]: jwt.PyJWK(entry, algorithm=self.alg).key for entry in kept}
            self.key = found[KID]
        super().signature(header, signed, signature)
