"""Takes out of a text what no report may hold: token signatures, private keys, secrets seen.  Pure, never raises."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

from harness.decode.tokens import bearer, describe, digest
from harness.model.exchange import TokenView
from harness.model.record import Members

# Wider than base64url on purpose: a token in the wrong alphabet, padded or percent-encoded has a good signature too.
_RUN = re.compile(r"(?:[A-Za-z0-9_\-+/=.]|%2[eE])+")
_DOT = re.compile(r"\.|%2[eE]")
_JSON_SIGNATURE = re.compile(r'(\\?"signature\\?"\s*:\s*\\?")[^"\\]*')
_KEY_NAME = "(?:[A-Z0-9]+ )*PRIVATE KEY-----"
_PRIVATE_KEY = re.compile(rf"-----BEGIN {_KEY_NAME}.*?(?:-----END {_KEY_NAME}|\Z)", re.DOTALL)
_TOKEN_DIGITS = 16
_START = "eyJ"  # base64url of {"
_DOTS = 2


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """*text* without secrets.

    Every compact JWS or JWE becomes ``<jwt sha256:... header={...} claims={...}>`` (first 16 hex digits of the digest
    over the whole token), a JWS in JSON form loses its signature, a PEM private key becomes ``<private key>`` and each
    of *secrets* (values seen on the wire; the longest first) becomes ``<redacted>``.  A secret that is itself a token
    is shown like a token.
    """
    for secret in sorted(set(secrets) - {""}, key=lambda value: (-len(value), value)):
        text = text.replace(secret, _shown(secret))
    text = _PRIVATE_KEY.sub("<private key>", text)
    return _JSON_SIGNATURE.sub(r"\1<redacted>", _hide(text, _token))


def token_in(text: str, authorization: str | None) -> TokenView | None:
    """The token of a request whose head is *text*: that of the *authorization* value, else the first there is."""
    given = bearer(authorization)
    observed = describe(given) if given else None
    if observed is not None and (observed.header is not None or observed.claims is not None):
        return observed
    found: list[str] = []
    _hide(text, lambda compact: found.append(compact) or "")  # type: ignore[func-returns-value]
    return describe(_DOT.sub(".", found[0])) if found else None


def _hide(text: str, show: Callable[[str], str]) -> str:
    """*text* with each compact token replaced by ``show(token)``, in time linear to its length."""
    return _RUN.sub(lambda match: _hide_in_run(match[0], show), text)


def _hide_in_run(run: str, show: Callable[[str], str]) -> str:
    before, mark, after = run.partition(_START)  # ``BearereyJ...`` and ``access_token=eyJ...`` are runs, too
    return before + show(mark + after) if len(_DOT.findall(after)) >= _DOTS else run


def _shown(secret: str) -> str:
    return _token(secret) if secret.startswith(_START) and len(_DOT.findall(secret)) >= _DOTS else "<redacted>"


def _token(compact: str) -> str:
    observed = describe(_DOT.sub(".", compact))
    head = f"<jwt sha256:{digest(compact)[:_TOKEN_DIGITS]}"
    return f"{head} header={_compact_json(observed.header)} claims={_compact_json(observed.claims)}>"


def _compact_json(value: Members | None) -> str:
    if value is None:
        return "?"
    # A claim may hold a token again.
    return _hide(json.dumps(value, separators=(",", ":"), ensure_ascii=False), lambda _: "<jwt>")
