"""Verifiers that read one thing more leniently than they should: forms, encodings, headers, JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from harness.tests.faulty.verifier import KID, Members, Verifier, octets

Fields = Mapping[str, list[str]]


# Whether there is a token


class NobodyIsAsked(Verifier):
    """Serves a request that has no token where one belongs."""

    def token(self, fields: Fields, query: str) -> str:
        return super().token(fields, query) if "authorization" in fields else ""

    def verify(self, token: str) -> None:
        if token:
            super().verify(token)


class AWordWillDo(Verifier):
    """Serves whoever sends something that is no JWT: it takes that for another kind of token."""

    def verify(self, token: str) -> None:
        if "." in token:
            super().verify(token)


class EmptyBearer(Verifier):
    """Takes the scheme alone for a token."""

    def token(self, fields: Fields, query: str) -> str:
        return "" if fields.get("authorization") in (["Bearer"], ["Bearer "]) else super().token(fields, query)

    def verify(self, token: str) -> None:
        if token:
            super().verify(token)


# Segments


class EmptyIsFine(Verifier):
    """A segment that is empty or missing is not looked at."""

    def verify(self, token: str) -> None:
        if "" not in token.split(".") and token.count(".") == 2:
            super().verify(token)


class TwoSegments(Verifier):
    """Takes a token without a third segment for one that somebody else has verified."""

    def verify(self, token: str) -> None:
        if token.count(".") != 1:
            super().verify(token)


class KeylessPasses(Verifier):
    """Verifies only a token that names its key."""

    def header(self, header: Members) -> None:
        super().header({"kid": KID, **header})

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        if "kid" in header:
            super().signature(header, signed, signature)


class FirstThree(Verifier):
    """Looks at the first three segments only."""

    def verify(self, token: str) -> None:
        super().verify(".".join(token.split(".")[:3]))


class DotsAreFine(Verifier):
    def verify(self, token: str) -> None:
        if token.strip("."):
            super().verify(token)


class Encrypted(Verifier):
    """Takes a token of five segments, which somebody encrypted to it, for one that is signed."""

    def verify(self, token: str) -> None:
        if token.count(".") != 4:
            super().verify(token)


class JsonToo(Verifier):
    """Reads the JSON serialisation as well (RFC 7515 section 7.2)."""

    def verify(self, token: str) -> None:
        if token.startswith("{"):
            parts = json.loads(token)
            token = f"{parts['protected']}.{parts['payload']}.{parts['signature']}"
        super().verify(token)


# Encoding


class Respelt(Verifier):
    """Makes a token that is spelt otherwise one that it can read."""

    def verify(self, token: str) -> None:
        super().verify(self.respelt(token))

    def respelt(self, token: str) -> str:
        raise NotImplementedError


class StandardAlphabet(Respelt):
    def respelt(self, token: str) -> str:
        return token.replace("+", "-").replace("/", "_")


class PercentDecoded(Respelt):
    def respelt(self, token: str) -> str:
        return unquote(token)


class OddCharactersDropped(Respelt):
    def respelt(self, token: str) -> str:
        return re.sub(r"[^A-Za-z0-9._-]", "", token)


class Canonical(Respelt):
    """Decodes a segment whatever its unused bits are."""

    def respelt(self, token: str) -> str:
        signed, _, signature = token.rpartition(".")
        read = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        return f"{signed}.{base64.urlsafe_b64encode(read).rstrip(b'=').decode()}"


class LastCharacterDropped(Respelt):
    """Ignores a character that no octet is left for."""

    def respelt(self, token: str) -> str:
        signed, _, signature = token.rpartition(".")
        return f"{signed}.{self._whole(signature)}" if len(signature) % 4 == 1 else token

    def _whole(self, signature: str) -> str:
        # What was cut off can only be guessed: nobody who verifies signatures could serve it.
        self.signature = lambda *_: None  # type: ignore[method-assign]
        return signature[:-1]


# Signature


class SignatureCutToSize(Verifier):
    """Looks at as many octets as a signature has."""

    def check(self, key: Any, alg: str, signed: bytes, signature: bytes) -> None:
        super().check(key, alg, signed, signature[: key.key_size // 8])


# Header


class AnyAlg(Verifier):
    """Verifies with its own algorithm, whatever the header says."""

    def header(self, header: Members) -> None:
        super().header({**header, "alg": self.alg})


class AnyKid(Verifier):
    def header(self, header: Members) -> None:
        super().header({**header, "kid": KID})


class HeaderUnread(Verifier):
    """Takes alg and kid for what they should be, and never reads the header's JSON."""

    def verify(self, token: str) -> None:
        head, payload, signature = token.split(".")
        self.signature({}, f"{head}.{payload}".encode(), octets(signature))
        claims = self.claims(octets(payload))
        self.times(claims)
        self.issuer(claims.get("iss"))
        self.audience(claims.get("aud"))


class HeaderUnreadUnsigned(HeaderUnread):
    """Neither reads the header nor verifies."""

    def signature(self, header: Members, signed: bytes, signature: bytes) -> None:
        return


# Claims as JSON


class FirstObject(Verifier):
    def claims(self, payload: bytes) -> Members:
        found: Members = json.JSONDecoder().raw_decode(payload.decode())[0]
        return found


class AnyUnicode(Verifier):
    """Guesses the encoding, as json.loads does, and passes over what it cannot decode."""

    def claims(self, payload: bytes) -> Members:
        encoding = "utf-16-le" if payload[1:2] == b"\0" else "utf-8-sig"
        found: Members = json.loads(payload.decode(encoding, "replace"))
        return found


class Unwrapped(Verifier):
    def claims(self, payload: bytes) -> Members:
        found = json.loads(payload)
        first: Members = found[0] if isinstance(found, list) else found
        return first


class AnyCase(Verifier):
    def claims(self, payload: bytes) -> Members:
        return {name.lower(): value for name, value in json.loads(payload).items()}


class TimesUnread(Verifier):
    """Python's json, which reads Infinity, and no look at times."""

    def claims(self, payload: bytes) -> Members:
        found: Members = json.loads(payload)
        return found

    def times(self, claims: Members) -> None:
        return


class JustJson(Verifier):
    """Python's json, with all that it takes beyond JSON."""

    def claims(self, payload: bytes) -> Members:
        found: Members = json.loads(payload)
        return found
