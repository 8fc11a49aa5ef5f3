"""Compares what the good token says with what the target file says that it should.  Sends nothing, verifies no service.

A token for another audience would make every verdict on audience and issuer mean something else than it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.pki.jwk import Published
from harness.stimuli.partial.tokens import parts_of, verified
from harness.stimuli.tokens.jwa import fits

_LONG = 120


@dataclass(frozen=True)
class Contradiction:
    """One: ``member`` of the token is not what the file says; ``text`` tells both."""

    member: str
    text: str


def contradictions(tokens: Mapping[str, Any], keys: Sequence[Published], token: str) -> Iterator[Contradiction]:
    """Where *token* is not what *tokens*, a target file's section, calls good, the audience first.

    *keys* are the service's published ones.  What is no JWT says nothing that could contradict.
    """
    parts = parts_of(token)
    if parts is None:
        return
    header, claims = parts
    yield from _claims(claims, tokens.get("claims", {}))
    if "kid" in tokens and header.get("kid", "") != tokens["kid"]:
        yield _unlike("kid", header.get("kid"), "tokens.kid", tokens["kid"])
    allowed = tokens.get("algorithms", ())
    if allowed and header.get("alg") not in allowed:
        yield _unlike("alg", header.get("alg"), "tokens.algorithms", list(allowed))
    fitting = [item for item in keys if fits(str(header.get("alg")), item.key)]
    if fitting and not any(verified(token, item.key) for item in fitting):
        text = f"no key in tokens.keys verifies the good token ({len(fitting)} are for {header.get('alg')})"
        yield Contradiction("signature", text)


def _claims(claims: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Contradiction]:
    for name in sorted(wanted, key=lambda name: name != "aud"):
        found, value = claims.get(name), wanted[name]
        if name == "aud" and set(_several(found)) & set(_several(value)):
            continue
        if found != value:
            yield _unlike(name, found, f"tokens.claims.{name}", value)


def _several(value: Any) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value])]


def _unlike(member: str, found: Any, place: str, wanted: Any) -> Contradiction:
    has = f"has no {member}" if found is None else f"has the {member} {_shown(found)}"
    return Contradiction(member, f"the good token {has}, but {place} says {_shown(wanted)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < _LONG else f"{text[:_LONG]}..."
