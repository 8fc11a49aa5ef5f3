"""Whether what a target file claims was shown: of each protection, the few classes without which it is only a word.

Pure: reads rows and what was left out, decides no outcome; :mod:`harness.judge` makes the answer of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from harness.model.claims import Claim, Gap, Protection
from harness.model.record import LeftOut, Row
from harness.model.vocabulary import BROKEN, Grade, Level, Outcome

CERTIFICATE_CORE = (("tls-no-cert",), ("ta-unknown-ca",))
"""No certificate, and one of a foreign CA.  Of the classes side by side any one will do."""
TOKEN_CORE = (("str-no-token",), ("sig-payload-tamper", "sig-bitflip"), ("alg-none",), ("exp-past",))
EXCHANGE_CORE = (("x-exchange",), ("x-elsewhere",), ("x-subject-token",), ("x-client",))
_POLICY = ("x-policy",)
_AUDIENCE, _ISSUER = ("aud-wrong",), ("iss-wrong",)

_JUDGED = BROKEN | {Outcome.PASS}
_REFUSALS = frozenset({"certificate-refused", "token-refused", "refused", "unauthenticated", "as-scripted"})
_UNKNOWN = "no case of this flow asks for it"

_LOOK = "what the reason names; the evidence of the case has details"
# What the reason says is missing -> what to write into the target file.
_GIVE = (
    (r"client\.ca_key|key of the CA", "client.ca_key"),
    (r"certificate of the CA", "client.ca"),
    (r"needs the key that signs", "tokens.signing_key, or tokens.jwks with listen and signing_key"),
    (r"public key", "tokens.keys"),
    (r"needs a good token", "a good token: tokens.signing_key, jwks, command, endpoint or captured"),
    (r"gives no certificate and key|gives nothing of", "client.certificate and client.key"),
    (r"names no (audience|issuer)", "tokens.claims.aud and tokens.claims.iss, as configured in the service"),
    (r"forged tokens are made for RS256", "tokens signed with RS256"),
    (r"read-only", "a harmless request: request: {method: GET, path: ..., success: 200}"),
    (r"server reached directly", "an address that reaches the server directly, or through a passthrough"),
    (r"answered 429", "a lower rate (rate: N), or no rate limit during the run"),
    (r"answered 50[234]", "an address that reaches the server itself"),
    (r"answered 3\d\d", "the url and request.path of a protected resource: this one only redirects"),
    (r"acted upon could not be seen", "a request.effect that is always available"),
    (r"every client is let in", "a server that requires credentials"),
)


@dataclass(frozen=True)
class _Seen:
    """What there is of one claim: its rows, and its cases that were left out with the reason of each."""

    rows: Sequence[Row]
    left_out: Mapping[str, str]

    def judged(self, classes: Iterable[str]) -> bool:
        return any(row["stimulus"] in classes and row["outcome"] in _JUDGED for row in self._refusals())

    def asked(self, classes: Iterable[str]) -> bool:
        return any(row["stimulus"] in classes for row in self._refusals())

    def exempt(self, name: str) -> bool:
        """Whether the catalogue itself has the server serve who lacks this credential, as analytics does under mTLS."""
        return any(row["stimulus"] == name and row["expected"] == "served" for row in self.rows)

    def why(self, classes: Iterable[str]) -> str:
        unseen = (str(row["reason"]) for row in self._refusals() if row["stimulus"] in classes)
        left_out = (reason for stimulus, reason in self.left_out.items() if stimulus in classes)
        return next(chain(unseen, left_out), _UNKNOWN)

    def _refusals(self) -> Iterator[Row]:
        return (row for row in self.rows if row["expected"] in _REFUSALS)


def gaps(claims: Iterable[Claim], rows: Iterable[Row], left_out: Iterable[LeftOut], *, selection: bool) -> list[Gap]:
    """What the *rows* leave unshown of *claims*.

    *left_out* are the cases that were withheld or skipped.  Of a *selection* (``--only``) no more is asked than it
    holds: what else the target claims, it says nothing of.
    """
    rows, left_out = list(rows), list(left_out)
    found: list[Gap] = []
    for claim in claims:
        observed = _seen(claim, rows, left_out)
        if observed.rows or not selection:
            found += _of(claim, observed, selection)
    return found


def unread(rows: Iterable[Row]) -> list[Gap]:
    """The MUSTs on files that could not be decided, although the files have what they are about."""
    found = [
        row
        for row in rows
        if row["grade"] == Grade.CONFIG and row["level"] == Level.MUST and row["outcome"] == Outcome.UNOBSERVED
    ]
    if not found:
        return []
    missing = tuple(dict.fromkeys(row["requirement"] for row in found))
    why = f"{found[0]['reason']}; see the reason of each case"
    give = f"what could not be read, or --skip '{missing[0]}=the reason' for each"
    return [Gap(found[0]["flow"], found[0]["posture"], Protection.CONFIGURATION, missing, why, give)]


def _seen(claim: Claim, rows: Iterable[Row], left_out: Iterable[LeftOut]) -> _Seen:
    location = (claim.flow, claim.posture)
    own = [row for row in rows if (row["flow"], row["posture"]) == location]
    reasons: dict[str, str] = {}
    for item in left_out:
        _, _, flow, posture, path, stimulus = (str(item["case"]).split("/", 5) + [""] * 6)[:6]
        if (flow, posture, path) == (*location, claim.path):
            reasons.setdefault(stimulus, str(item["reason"]))
    return _Seen(own, reasons)


def _of(claim: Claim, seen: _Seen, selection: bool) -> list[Gap]:
    found = []
    for protection, core in _claimed(claim, seen):
        asked = [classes for classes in core if seen.asked(classes)] if selection else core
        missing = [classes for classes in asked if not seen.judged(classes)]
        if missing:
            found.append(_gap(claim, seen, protection, missing))
    # Of a selection in which a MUST is broken the answer is known, whether anybody is served or not.
    answered = selection and any(row["outcome"] in BROKEN and row["level"] == Level.MUST for row in seen.rows)
    if not (found or answered) and seen.rows and not any(row["outcome"] == Outcome.PASS for row in seen.rows):
        found.append(_new_gap(claim, Protection.SERVICE, ("good",), [str(seen.rows[0]["reason"])]))
    return found


def _claimed(claim: Claim, seen: _Seen) -> Iterator[tuple[Protection, Sequence[tuple[str, ...]]]]:
    if claim.certificate and not seen.exempt("tls-no-cert"):
        yield Protection.CERTIFICATE, CERTIFICATE_CORE
    elif claim.certificate and claim.optional:
        yield Protection.CERTIFICATE, CERTIFICATE_CORE[1:]
    if claim.token and not seen.exempt("str-no-token"):
        named = [names for names, given in ((_AUDIENCE, claim.audience), (_ISSUER, claim.issuer)) if given]
        yield Protection.TOKEN, (*TOKEN_CORE, *named)
    if claim.exchange:
        yield Protection.EXCHANGE, (*EXCHANGE_CORE, *([_POLICY] if claim.policy else []))


def _gap(claim: Claim, seen: _Seen, protection: Protection, missing: Sequence[tuple[str, ...]]) -> Gap:
    reasons = dict.fromkeys(seen.why(classes) for classes in missing)
    return _new_gap(claim, protection, tuple(classes[0] for classes in missing), list(reasons))


def _new_gap(claim: Claim, protection: Protection, missing: tuple[str, ...], reasons: Sequence[str]) -> Gap:
    give = dict.fromkeys(filter(None, map(_give, reasons)))
    return Gap(claim.flow, claim.posture, protection, missing, "; ".join(reasons), "; ".join(give) or _LOOK)


def _give(reason: str) -> str:
    return next((give for pattern, give in _GIVE if re.search(pattern, reason)), "")
