"""Faults in the verification of tokens and the handling of keys."""

from __future__ import annotations

import base64
import binascii
import hmac
import math
from collections.abc import Callable
from dataclasses import replace

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.model.vocabulary import Reason
from harness.subsystems.faults.registry import fault
from harness.subsystems.server.jwks import ALGORITHM, Keys, VerificationKey, check_signature
from harness.subsystems.server.jws import Token
from harness.subsystems.server.kind import COMPARES_AUDIENCE, VERIFIES_TOKENS
from harness.subsystems.server.policy import ServerPolicy
from harness.subsystems.server.rejection import FORBIDDEN, Rejected, about_token

VERIFIERS = (VERIFIES_TOKENS,)
SERVICES = (COMPARES_AUDIENCE,)
NO_ALGORITHM, SHARED_SECRET = "none", "HS256"
_OTHER_RSA = frozenset({"RS384", "RS512", "PS256", "PS384", "PS512"})
_KNOWN_PARAMETERS = frozenset({"alg", "typ", "kid"})
_KNOWN_CLAIMS = frozenset({"jti", "namespace", "aud", "sub", "iss", "token_type", "iat", "exp", "nbf", "scopes"})


def _accepting(rules: ServerPolicy, accepts: Callable[[Token, Keys], bool]) -> ServerPolicy:
    """The rules with a shorter way in: what *accepts* is not looked at any further."""

    def proof(token: Token, keys: Keys) -> None:
        if not accepts(token, keys):
            rules.proof(token, keys)

    return replace(rules, proof=proof)


def _verifies(token: Token, key: object) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            check_signature(token, key)
            return True
    except Rejected:
        return False
    return False


@fault(
    "accepts-missing-token",
    on=VERIFIERS,
    implies=("BYP-*", "JWT-14", "CFG-4", "CFG-5", "STS-14"),
)
def accepts_missing_token(rules: ServerPolicy) -> ServerPolicy:
    """serves requests without a token"""
    return replace(rules, token_required=False)


@fault("accepts-query-token", on=VERIFIERS)
def accepts_query_token(rules: ServerPolicy) -> ServerPolicy:
    """takes a token from the query string"""
    return replace(rules, takes_query_token=True)


@fault("accepts-alg-none", on=VERIFIERS)
def accepts_alg_none(rules: ServerPolicy) -> ServerPolicy:
    """accepts unsigned tokens with alg none"""
    lenient = _accepting(rules, lambda token, keys: token.header["alg"] == NO_ALGORITHM and not token.signature)
    return replace(lenient, algorithms=rules.algorithms | {NO_ALGORITHM})


@fault("accepts-hs256-with-public-key", on=VERIFIERS)
def accepts_hs256_with_public_key(rules: ServerPolicy) -> ServerPolicy:
    """accepts HS256 tokens whose secret is the public key's PEM"""

    def keyed(token: Token, keys: Keys) -> bool:
        candidates = [key for key in keys.values() if token.kid in (None, key.kid)]
        return token.header["alg"] == SHARED_SECRET and any(_hmac_with(token, key) for key in candidates)

    return replace(_accepting(rules, keyed), algorithms=rules.algorithms | {SHARED_SECRET})


def _hmac_with(token: Token, published: VerificationKey) -> bool:
    pem = published.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    made = [hmac.digest(secret, token.signed, "sha256") for secret in (pem, pem.rstrip())]
    return any(hmac.compare_digest(one, token.signature) for one in made)


@fault("takes-any-rsa-algorithm", on=VERIFIERS)
def takes_any_rsa_algorithm(rules: ServerPolicy) -> ServerPolicy:
    """verifies a token with whatever RSA algorithm its header names"""

    def named(token: Token, keys: Keys) -> bool:
        published, algorithm = keys.get(token.kid or ""), token.header["alg"]
        if published is None or algorithm not in _OTHER_RSA:
            return False
        return jwt.get_algorithm_by_name(algorithm).verify(token.signed, published.key, token.signature)

    return replace(_accepting(rules, named), algorithms=rules.algorithms | _OTHER_RSA)


@fault("uses-embedded-jwk", on=VERIFIERS)
def uses_embedded_jwk(rules: ServerPolicy) -> ServerPolicy:
    """verifies a token with the key in its own header"""

    def embedded(token: Token, keys: Keys) -> bool:
        try:
            return _verifies(token, jwt.PyJWK(token.header["jwk"], algorithm=ALGORITHM).key)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, AttributeError):
            return False

    return _accepting(rules, embedded)


@fault("trusts-header-x5c", on=VERIFIERS)
def trusts_header_x5c(rules: ServerPolicy) -> ServerPolicy:
    """verifies a token with the certificate in its own header"""

    def carried(token: Token, keys: Keys) -> bool:
        try:
            der = base64.b64decode(token.header["x5c"][0])
            return _verifies(token, x509.load_der_x509_certificate(der).public_key())
        except (KeyError, IndexError, TypeError, ValueError, binascii.Error):
            return False

    return _accepting(rules, carried)


@fault(
    "skips-signature",
    on=VERIFIERS,
    implies=("JWT-14", "CFG-3", "CFG-5", "JWT-3", "JWT-5", "STS-14"),
)
def skips_signature(rules: ServerPolicy) -> ServerPolicy:
    """looks up the key but does not verify the signature"""
    return _accepting(rules, lambda token, keys: token.kid in keys and token.header["alg"] == ALGORITHM)


@fault("tries-any-key", on=VERIFIERS)
def tries_any_key(rules: ServerPolicy) -> ServerPolicy:
    """ignores kid and accepts what any published key verifies"""
    return _accepting(rules, lambda token, keys: any(_verifies(token, published.key) for published in keys.values()))


@fault("ignores-expiry", on=VERIFIERS, implies=("JWT-9",))
def ignores_expiry(rules: ServerPolicy) -> ServerPolicy:
    """accepts expired tokens"""
    return replace(rules, checks_expiry=False)


@fault("accepts-missing-expiry", on=VERIFIERS)
def accepts_missing_expiry(rules: ServerPolicy) -> ServerPolicy:
    """accepts tokens that never expire"""
    return replace(rules, requires_expiry=False)


@fault("ignores-not-before", on=VERIFIERS)
def ignores_not_before(rules: ServerPolicy) -> ServerPolicy:
    """accepts tokens that are not valid yet"""
    return replace(rules, checks_not_before=False)


@fault("ignores-crit", on=VERIFIERS)
def ignores_crit(rules: ServerPolicy) -> ServerPolicy:
    """ignores the critical extensions of a token"""

    def signed(token: Token, keys: Keys) -> bool:
        published = keys.get(token.kid or "")
        return "crit" in token.header and published is not None and _signed_with(token, published.key)

    return replace(_accepting(rules, signed), checks_crit=False)


def _signed_with(token: Token, key: rsa.RSAPublicKey) -> bool:
    """The signature alone: PyJWT would look at crit by itself."""
    try:
        key.verify(token.signature, token.signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


@fault(
    "answers-403-for-token",
    on=VERIFIERS,
    implies=("FLW-7", "JWT-*", "CFG-*", "STS-14"),
)
def answers_403_for_token(rules: ServerPolicy) -> ServerPolicy:
    """answers 403 instead of 401 to a missing or bad token"""
    return _answering(rules, FORBIDDEN)


@fault(
    "answers-500-on-bad-token",
    on=VERIFIERS,
    implies=("FLW-7", "JWT-*", "CFG-*", "STS-*"),
)
def answers_500_on_bad_token(rules: ServerPolicy) -> ServerPolicy:
    """answers 500 to a bad token"""
    return _answering(rules, 500, spared=Reason.TOKEN_MISSING)


def _answering(rules: ServerPolicy, status: int, spared: Reason | None = None) -> ServerPolicy:
    def answer(reason: Reason) -> int:
        return status if about_token(reason) and reason is not spared else rules.status(reason)

    return replace(rules, status=answer)


@fault("fetches-keys-unverified", on=VERIFIERS)
def fetches_keys_unverified(rules: ServerPolicy) -> ServerPolicy:
    """fetches keys from a server whose certificate does not verify"""
    return replace(rules, verifies_key_server=False)


@fault(
    "fetches-keys-per-request",
    on=VERIFIERS,
    implies=("JWT-10-REFETCH", "JWT-8", "JWT-9"),
)
def fetches_keys_per_request(rules: ServerPolicy) -> ServerPolicy:
    """fetches the keys again for every token"""
    return replace(rules, key_lifetime=lambda documented: 0.0)


@fault("keeps-keys-forever", on=VERIFIERS)
def keeps_keys_forever(rules: ServerPolicy) -> ServerPolicy:
    """never fetches keys again once it has some"""
    return replace(rules, key_lifetime=lambda documented: math.inf)


@fault(
    "accepts-without-keys",
    on=VERIFIERS,
    implies=("FLW-7", "JWT-4"),
)
def accepts_without_keys(rules: ServerPolicy) -> ServerPolicy:
    """accepts every token while the JWKS URL cannot be reached"""
    return replace(rules, works_without_keys=True)


@fault("ignores-audience", on=SERVICES)
def ignores_audience(rules: ServerPolicy) -> ServerPolicy:
    """accepts tokens for any audience"""
    return replace(rules, names_audience=lambda name, claim: True)


@fault("compares-audience-loosely", on=SERVICES)
def compares_audience_loosely(rules: ServerPolicy) -> ServerPolicy:
    """compares the audience as a substring, in either direction and ignoring case"""
    return replace(rules, names_audience=_alike)


@fault("wants-one-audience", on=SERVICES)
def wants_one_audience(rules: ServerPolicy) -> ServerPolicy:
    """refuses tokens for several audiences, of which it is one"""
    return replace(rules, names_audience=lambda name, claim: claim == name)


@fault("ignores-issuer", on=SERVICES)
def ignores_issuer(rules: ServerPolicy) -> ServerPolicy:
    """accepts tokens of any issuer, as long as a key of its JWKS verifies them"""
    return replace(rules, names_issuer=lambda name, claim: True)


@fault("compares-issuer-loosely", on=SERVICES)
def compares_issuer_loosely(rules: ServerPolicy) -> ServerPolicy:
    """compares the issuer as a substring, in either direction and ignoring case"""
    return replace(rules, names_issuer=_alike)


def _alike(name: str, claim: object) -> bool:
    if not isinstance(claim, str):
        return isinstance(claim, list) and any(_alike(name, item) for item in claim)
    return bool(claim) and (claim.lower() in name.lower() or name.lower() in claim.lower())


@fault("refuses-unknown-members", on=VERIFIERS)
def refuses_unknown_members(rules: ServerPolicy) -> ServerPolicy:
    """rejects tokens with a header parameter or a claim it does not know"""

    def proof(token: Token, keys: Keys) -> None:
        rules.proof(token, keys)
        if unknown := (set(token.header) - _KNOWN_PARAMETERS) | (set(token.claims) - _KNOWN_CLAIMS):
            raise Rejected(Reason.TOKEN_CLAIMS, f"{min(unknown)} is unknown here")

    return replace(rules, proof=proof)


@fault("never-refetches-keys", on=VERIFIERS)
def never_refetches_keys(rules: ServerPolicy) -> ServerPolicy:
    """does not refetch the keys for an unknown kid"""
    return replace(rules, refetches=lambda documented: False)


@fault("refetches-for-every-unknown-key", on=VERIFIERS)
def refetches_for_every_unknown_key(rules: ServerPolicy) -> ServerPolicy:
    """refetches the keys for every token with an unknown kid"""
    return replace(rules, refetches=lambda documented: True)


@fault("forgets-keys-on-failure", on=VERIFIERS)
def forgets_keys_on_failure(rules: ServerPolicy) -> ServerPolicy:
    """drops its cached keys when they cannot be refetched"""
    return replace(rules, keeps_keys_on_failure=False)


@fault("trusts-key-server-by-ca-alone", on=VERIFIERS, implies=("FLW-8",))
def trusts_key_server_by_ca_alone(rules: ServerPolicy) -> ServerPolicy:
    """accepts keys from any server with a certificate from the CA, whatever its name"""
    return replace(rules, verifies_host=False)
