"""Where a target's tokens come from: a key we hold, a JWKS server of ours, or a source of tokens signed elsewhere."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UsageError
from harness.pki.jwk import Private, Published, key_id, public_jwk, read_keys
from harness.stimuli.key_server import KeyServer
from harness.stimuli.partial import ExternallySignedTokens, ServiceTokenIssuer
from harness.stimuli.tokens import TokenIssuer
from harness.stimuli.tokens.jwa import fits, usual
from harness.targets.credentials import private_key_password, signing_key
from harness.targets.file import TargetFile
from harness.targets.good_token import contradictions
from harness.targets.token_sources import check_source, published_keys, token_source

_LIFETIME = 300
_ATTEMPT = "correct tokens in the target file, or give a token that matches it"


def check_sources(target: TargetFile) -> None:
    """Raises :class:`UsageError` for a token source that cannot be used; listens and connects nowhere."""
    tokens = target.tokens
    for row, name in ((tokens, "tokens"), (tokens.get("jwks", {}), "tokens.jwks")):
        if "signing_key" in row:
            _signing_key(target, row, name)
    if "jwks" in tokens:
        _server_context(target, tokens["jwks"])
    check_source(target)
    keys = _public_keys(target) if isinstance(tokens.get("keys"), str) else ()
    try:
        json.dumps(tokens.get("claims", {}))
    except TypeError as error:
        text = f"tokens.claims: only JSON values ({error}); put a date into quotes"
        raise UsageError(text, where=str(target.file)) from error
    if "captured" in tokens and (source := token_source(target)) is not None:
        _compare(target, keys, source())


def open_token_issuer(target: TargetFile) -> tuple[TokenIssuer, KeyServer | None]:
    """The token issuer that *target*'s tokens section describes, and the JWKS server it needs, if any.

    Raises :class:`UsageError` for files that cannot be used and for a good token that is not what the file says,
    CannotJudge where the server cannot listen or no token is had.
    """
    tokens = target.tokens
    claims, lifetime = tokens.get("claims", {}), tokens.get("lifetime", _LIFETIME)
    agreed = tokens.get("algorithms", ())
    if "signing_key" in tokens:
        key = _signing_key(target, tokens, "tokens")
        return ServiceTokenIssuer(key, claims, tokens.get("kid"), lifetime, agreed), None
    if "jwks" in tokens:
        row = tokens["jwks"]
        key = _signing_key(target, row, "tokens.jwks")
        token_issuer = ServiceTokenIssuer(key, claims, tokens.get("kid", key_id(key.public_key())), lifetime, agreed)
        public = {**public_jwk(key.public_key()), "use": "sig", "alg": token_issuer.alg, "kid": token_issuer.kid}
        return token_issuer, KeyServer(row["listen"], public, _server_context(target, row))
    keys, source = _public_keys(target), token_source(target)
    borrowed = ExternallySignedTokens(source, claims, keys, agreed)
    if source is not None:
        borrowed.misnamed = _compare(target, keys, borrowed.token())
    return borrowed, None


def _compare(target: TargetFile, keys: Sequence[Published], token: str) -> str:
    """Raises :class:`UsageError` where *token* is not what the target file says.

    Gives what is wrong with the audience that a token endpoint put into it: that is for the service to notice.
    """
    found = next(contradictions(target.tokens, keys, token), None)
    if found is None:
        return ""
    if found.member == "aud" and "endpoint" in target.tokens:
        return f"the token endpoint answers 200 with another audience than requested: {found.text}"
    raise UsageError(found.text, where=str(target.file), hint=_ATTEMPT)


def _signing_key(target: TargetFile, row: Mapping[str, Any], name: str) -> Private:
    key = signing_key(target.private_key(row, "signing_key"), f"{name}.signing_key")
    alg = (*target.tokens.get("algorithms", ()), usual(key.public_key()))[0]
    if not fits(alg, key.public_key()):
        text = f"tokens.algorithms starts with {alg}, which {name}.signing_key cannot sign with"
        raise UsageError(text, where=str(target.file), hint="put the algorithm of good tokens first")
    return key


def _public_keys(target: TargetFile) -> Sequence[Published]:
    if "keys" not in target.tokens:
        return ()
    keys = target.tokens["keys"]
    where = keys["url"] if isinstance(keys, dict) else str(target.place(keys))
    try:
        return read_keys(published_keys(target) if isinstance(keys, dict) else target.place(keys).read_bytes())
    except (OSError, ValueError) as error:
        message = getattr(error, "strerror", None) or error
        raise UsageError(f"tokens.keys has no usable JWK set: {message}", where=where) from error


def _server_context(target: TargetFile, row: Mapping[str, Any]) -> ssl.SSLContext | None:
    if "certificate" not in row:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, private = target.place(row["certificate"]), target.private_key(row, "key")
    # An empty password keeps OpenSSL from asking for one on the terminal.
    password = private_key_password(private, "tokens.jwks.key") or b""
    try:
        context.load_cert_chain(certificate, private.secret.file, password)
    except (OSError, ValueError) as error:
        message = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        text = f"tokens.jwks: certificate and key cannot be used: {message}"
        raise UsageError(text, where=f"{certificate}, {private.secret.file}") from error
    return context
