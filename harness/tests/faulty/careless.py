"""Verifiers that are careless about one thing: times, who is named, how a token travels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from harness.tests.faulty.lenient import Respelt
from harness.tests.faulty.verifier import AUDIENCE, ISSUER, Bad, Members, Verifier

Fields = Mapping[str, list[str]]


class NoExpiryMeansNever(Verifier):
    """An exp that says nothing, or lies before time began, means that the token never expires."""

    def times(self, claims: Members) -> None:
        if claims.get("exp") and claims["exp"] is not True and claims["exp"] != -1:
            super().times(claims)


class TimesAsText(Verifier):
    """A time that is no number is passed over."""

    def times(self, claims: Members) -> None:
        kept = {name: value for name, value in claims.items() if isinstance(value, int | float)}
        super().times({"exp": self.clock() + 60, **kept})


# Who is named


class AnyIssuer(Verifier):
    def issuer(self, issuer: Any) -> None:
        return


class IssuerInAnyCase(Verifier):
    def issuer(self, issuer: Any) -> None:
        super().issuer(ISSUER if isinstance(issuer, str) and issuer.lower() == ISSUER.lower() else issuer)


class PartOfIssuer(Verifier):
    def issuer(self, issuer: Any) -> None:
        if not issuer or issuer not in ISSUER:
            raise Bad("iss")


class EndOfIssuer(Verifier):
    """Asks whether the issuer ends as it should."""

    def issuer(self, issuer: Any) -> None:
        if not isinstance(issuer, str) or not issuer.endswith(ISSUER.partition("://")[2]):
            raise Bad("iss")


class AnyTenant(Verifier):
    """Looks at the issuer's host alone."""

    def issuer(self, issuer: Any) -> None:
        if not isinstance(issuer, str) or issuer.split("/")[:3] != ISSUER.split("/")[:3] or issuer != issuer.strip():
            raise Bad("iss")


class IssuerStripped(Verifier):
    def issuer(self, issuer: Any) -> None:
        super().issuer(issuer.strip() if isinstance(issuer, str) else issuer)


class IssuerAmong(Verifier):
    def issuer(self, issuer: Any) -> None:
        if issuer != ISSUER and not (isinstance(issuer, list) and ISSUER in issuer):
            raise Bad("iss")


class NobodyNamed(Verifier):
    """A token that names no audience is for everybody."""

    def audience(self, audience: Any) -> None:
        if audience not in (None, [], "*"):
            super().audience(audience)


class AudienceInText(Verifier):
    """Looks for itself in whatever the claim reads as."""

    def audience(self, audience: Any) -> None:
        if AUDIENCE not in json.dumps(audience):
            raise Bad("aud")


class EndOfAudience(Verifier):
    """Asks whether the audience, or one of several, ends as it should."""

    def audience(self, audience: Any) -> None:
        several = audience if isinstance(audience, list) else [audience]
        if not any(isinstance(one, str) and one.endswith(AUDIENCE) for one in several):
            raise Bad("aud")


class AudienceInAnyCase(Verifier):
    def audience(self, audience: Any) -> None:
        super().audience(audience.lower() if isinstance(audience, str) else audience)


# How it travels


class AnyScheme(Verifier):
    """Whatever the scheme, the last word is the token."""

    def token(self, fields: Fields, query: str) -> str:
        return fields["authorization"][0].split(" ")[-1]


class NoSpaceNeeded(Verifier):
    def token(self, fields: Fields, query: str) -> str:
        (value,) = fields["authorization"]
        return value.removeprefix("Bearer").lstrip()


class Unquoted(Respelt):
    def respelt(self, token: str) -> str:
        return token.strip('"')


class FirstWord(Respelt):
    """The token ends where a space or a comma is."""

    def respelt(self, token: str) -> str:
        return re.split("[ ,]", token)[0]


class LastOfTwo(Verifier):
    def token(self, fields: Fields, query: str) -> str:
        return super().token({"authorization": fields.get("authorization", [])[-1:]}, query)


class FromCookie(Verifier):
    def token(self, fields: Fields, query: str) -> str:
        found = re.search(r"jwt=([^;]+)", "".join(fields.get("cookie", [])))
        return found[1] if found else super().token(fields, query)


class ElsewhereUnverified(Verifier):
    """A token in the query, a cookie or a proxy's header has been verified by somebody else."""

    def token(self, fields: Fields, query: str) -> str:
        known = {name for name in ("cookie", "x-auth-token") if fields.get(name)}
        return "" if known or "token=" in query else super().token(fields, query)

    def verify(self, token: str) -> None:
        if token:
            super().verify(token)


class OtherSchemesUnread(Verifier):
    """What is no Bearer token is left to somebody else."""

    def token(self, fields: Fields, query: str) -> str:
        values = fields.get("authorization", [])
        return "" if values and not values[0].lower().startswith("bearer") else super().token(fields, query)

    def verify(self, token: str) -> None:
        if token:
            super().verify(token)


class FromOtherHeaders(Verifier):
    """Looks for a token wherever a proxy or a gateway interface may have put it."""

    names = ("x-access-token", "proxy-authorization", "authorization_", "http_authorization")

    def token(self, fields: Fields, query: str) -> str:
        found = [value for name in ("authorization", *self.names) for value in fields.get(name, [])]
        return super().token({"authorization": found[:1]}, query)
