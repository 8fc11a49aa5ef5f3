"""Why an endpoint cannot be judged, in words, from what a few requests showed.  Sends nothing, decides no outcome.

Each cause is a sentence and what to do about it.  What is named here is the target's own: its credentials, its request,
its posture, or what stands before it.
"""

from __future__ import annotations

import html
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from cryptography import x509

from harness.decode.redaction import redact
from harness.model.catalogue import Flow, Server
from harness.model.exchange import ClientView
from harness.model.vocabulary import CertificateEncoding, Path, Posture
from harness.targets.file import Endpoint
from harness.wire.handshake import Handshake

_TOKENS = frozenset({Posture.JWT, Posture.BOTH})
_CERTIFICATES = frozenset({Posture.MTLS, Posture.BOTH})
_GATEWAY = frozenset({502, 503, 504})
_WITHOUT_CERTIFICATE = frozenset({400, 403, 495, 496})
_SAID = 80
_SKEW = 30.0
_MOMENT = 0.3
"""Seconds that may pass between an answer and our looking at the clock."""
TOO_MANY = 429
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_REFUSED_CERTIFICATE = (
    "the server refuses this client's certificate: see its log; the certificate may be expired, revoked or under a CA "
    "that the server does not trust, or the server's CRL may have expired or be missing for one of the chain's CAs"
)
_LOG = "check client, tokens and request in the target file against the server's log"
_ATTEMPTS = {
    400: "see the server's log for what it calls a bad request: check request.path, request.body and the Host in url",
    401: "check the source of tokens, tokens.claims (iss, aud), the keys that the server verifies with, and that "
    "proxies in between forward the Authorization header",
    403: "the client may be authenticated but not authorised: check subject, scopes and roles, and request.path",
    404: "check request.path, or the path in url: the good credentials must be served there",
    405: "check request.method",
    406: "check request.path: it must be one that answers without an Accept header",
    411: "check request.method and request.body",
    415: "give a request whose body, if any, this service accepts without a special Content-Type",
    421: "the front end does not know this host name: check the host in url",
    422: "check request.body",
    TOO_MANY: "lower rate in the target file, or let the run wait: hopproof run --wait",
}


@dataclass(frozen=True)
class Obstacle:
    """What prevents judging, and what to try."""

    what: str
    hint: str


MARKED = Obstacle(
    "the response to the good request matches dialect.refusal, so an acceptance would count as a refusal",
    "write a pattern that only a refusal matches, or choose a good request that is served",
)


@dataclass(frozen=True)
class Refused:
    """A good request that was not served, and what was looked at besides.

    ``seen`` is what came of it at the time ``at``, ``bare`` of the same request without a token; ``shown`` is what the
    server does in a handshake.  ``keys_asked`` says whether keys have been fetched from our JWKS server, None where
    there is none.  ``sent`` says what the good request was.
    """

    endpoint: Endpoint
    posture: Posture
    sent: str
    success: int
    seen: ClientView
    at: float
    shown: Handshake
    bare: ClientView | None = None
    keys_asked: bool | None = None

    @property
    def status(self) -> int:
        """The status of its answer, 0 without one."""
        return self.seen.response.status if self.seen.response else 0

    def causes(self) -> Iterator[Obstacle]:
        """What may have caused it, the likeliest first; the last says only what came."""
        if self.status != TOO_MANY:
            yield from self._likely()
        yield Obstacle(
            f"{self.sent} is {answer(self.seen)}, not {self.success}: so a refusal would prove nothing", self._attempt
        )

    @property
    def _attempt(self) -> str:
        if 300 <= self.status < 400:
            return "give a path that does not redirect, in url or request.path"
        if 200 <= self.status < 300:
            return f"if that is correct, put it in the target file: request: {{success: {self.status}}}"
        if self.status >= 500:
            return "the server, or the balancer in front of it, fails on a good request: see its log"
        if self.posture in _CERTIFICATES and _names_certificate(self.seen):
            return _REFUSED_CERTIFICATE
        return _ATTEMPTS.get(self.status, _LOG)

    def _likely(self) -> Iterator[Obstacle]:
        yield from terminated(self.endpoint, self.posture, self.seen, self.shown)
        yield from self._token_lost()
        yield from self._clock()

    def _token_lost(self) -> Iterator[Obstacle]:
        """The good token makes no difference, and nothing shows that it was read."""
        if self.posture not in _TOKENS or self.status not in (401, 403) or not _alike(self.seen, self.bare):
            return
        if self.keys_asked is False:
            text = "nothing fetched keys from Hopproof's JWKS server, and a good token is answered like a missing one"
        elif self.endpoint.path is Path.TERMINATING and self.keys_asked is None:
            text = "a good token is answered like a missing one"
        else:
            return
        yield Obstacle(
            f"{text} ({answer(self.seen)}): the token did not arrive, or the server does not verify with these keys",
            "check that every balancer in front of the server forwards the Authorization header, and where the "
            "server fetches its keys",
        )

    def _clock(self) -> Iterator[Obstacle]:
        skew = clock(self.seen, self.at)
        if skew is None or self.status not in (400, 401, 403):
            return
        if self.posture not in _TOKENS and abs(skew) < _SKEW:
            return  # a certificate is older than that
        how = f"{abs(skew):.0f} s {'behind' if skew < 0 else 'ahead of'} ours"
        why = "what was issued now is not valid there yet" if skew < 0 else "what is valid here may be expired there"
        yield Obstacle(
            f"its clock is {how}, and {self.sent} is {answer(self.seen)}: the clock is the likely cause, since {why}",
            "synchronise the clocks, or allow some seconds of clock skew on the server",
        )


def sent(flow: Flow, posture: Posture, certificate: x509.Certificate | None) -> str:
    """What the good request was, in words."""
    parts = ["a good token"] if posture in _TOKENS else []
    if certificate is not None:
        parts.append(f"the certificate of {_short(certificate.subject.rfc4514_string()) or 'a client without a name'}")
    carried = f" with {' and '.join(parts)}" if parts else ""
    return f"the good request ({flow.method} {flow.path}{carried})"


def clock(seen: ClientView, at: float) -> float | None:
    """How far the server's clock is from ours by the Date of its answer, None where it may be right or says nothing.

    A Date has whole seconds, and the answer took a while: only what neither explains counts.
    """
    headers = dict(seen.response.headers) if seen.response else {}
    try:
        theirs = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None
    earliest, latest = theirs - at, theirs + 1.0 - (at - seen.ms / 1000.0 - _MOMENT)
    if earliest <= 0.0 <= latest:
        return None
    likely = (earliest + latest) / 2
    return math.copysign(max(1.0, abs(round(likely))), likely)


def encoded_otherwise(server: Server, found: CertificateEncoding) -> Obstacle:
    """The gateway reads the certificate header, in another encoding than the file says."""
    return Obstacle(
        f"the good request is refused with the certificate in {server.certificate_header} as "
        f"{server.certificate_encoding}, and served with it as {found}",
        f"say certificate_encoding: {found} in the target file",
    )


def terminated(endpoint: Endpoint, posture: Posture, seen: ClientView, shown: Handshake) -> Iterator[Obstacle]:
    """What was meant to check a client's certificate has not asked for one."""
    if posture not in _CERTIFICATES or not shown.established or shown.asked:
        return
    kind = "passes TLS through" if endpoint.path is Path.PASSTHROUGH else "is reached directly"
    gateway = ", the status that a balancer sends when the server refuses it" if _status(seen) in _GATEWAY else ""
    yield Obstacle(
        f"the endpoint requests no client certificate, although the file says that it {kind} and is in posture "
        f"{posture}; the good request is {answer(seen)}{gateway}: it looks like a balancer that terminates TLS, and "
        "then the server behind it never sees the client's certificate",
        "make the balancer pass TLS through (FLW-3: mTLS needs passthrough), or protect the flow with JWT",
    )


def untrusted(endpoint: Endpoint, posture: Posture, seen: ClientView, shown: Handshake) -> Obstacle:
    """The server's certificate is not under the CA that the file names."""
    what = f"the certificate of {endpoint.host} is refused: {seen.server_refused}"
    hint = "check ca in the target file, and the name in url"
    if shown.chain:
        leaf = shown.chain[0]
        what += f" (it shows {leaf.subject.rfc4514_string()}, issued by {leaf.issuer.rfc4514_string()})"
    if posture in _CERTIFICATES and shown.established:
        asked = "" if shown.asked else "; and it requests no client certificate"
        what += f"{asked}: if that is a balancer's own certificate and not the server's, it terminates TLS"
        hint += "; mTLS needs a balancer that passes TLS through (FLW-3)"
    return Obstacle(what, hint)


def still_required(posture: Posture, bare: ClientView | None, shown: Handshake, good_token: bool) -> Obstacle | None:
    """An endpoint that was to be judged by tokens alone, and refuses clients without a certificate."""
    if bare is None or not shown.asked or not certificate_was_missing(bare, good_token):
        return None
    return Obstacle(
        f"this endpoint still requires a client certificate, though the file says posture {posture}: without one, a "
        f"request is {answer(bare)}",
        "turn off client certificate verification at the endpoint, or set posture: both (mtls, if it verifies no "
        "token) and give the client's certificate",
    )


def certificate_was_missing(bare: ClientView, good_token: bool) -> bool:
    """Whether a request without a certificate, to a server that asks for one, was turned away for that."""
    if bare.response is None:
        return bool(bare.alert) or (bare.closed and not bare.fault)
    return _names_certificate(bare) or (good_token and bare.response.status in _WITHOUT_CERTIFICATE)


def _names_certificate(seen: ClientView) -> bool:
    """Whether a refusal says that it is about the certificate: an alert about one, nginx's statuses, or its text."""
    if seen.response is None:
        return "certificate" in (seen.alert or "") or seen.alert == "unknown_ca"
    status, body = seen.response.status, seen.response.body.lower()
    return status in (495, 496) or (status in _WITHOUT_CERTIFICATE and "certificate" in body)


def answer(seen: ClientView) -> str:
    """What came back, as it fits into a sentence."""
    if seen.response is None:
        if seen.timed_out:
            return "not answered in time"
        return f"ended with alert {seen.alert}" if seen.alert else f"ended with {seen.fault or 'no answer'}"
    challenge = dict(seen.response.headers).get("www-authenticate", "")
    body = _first_line(seen.response.body)
    message = [f"WWW-Authenticate: {_short(challenge)}"] if challenge else []
    message += [f'"{_short(body)}"'] if body else []
    return f"answered {seen.response.status}" + (f" ({'; '.join(message)})" if message else "")


def _first_line(body: str) -> str:
    """What a person would read first of a body: its first line, or the title of a page."""
    body = body.strip()
    if body.startswith("<"):
        title = _TITLE.search(body)
        body = " ".join(html.unescape(title[1]).split()) if title else ""
    return body.split("\n", 1)[0]


def _short(text: str) -> str:
    """A target's words: no secret, no control characters, not too many."""
    text = "".join(letter if letter.isprintable() else " " for letter in redact(text))
    return text if len(text) <= _SAID else f"{text[:_SAID]}..."


def _alike(seen: ClientView, bare: ClientView | None) -> bool:
    if bare is None or seen.response is None or bare.response is None:
        return False
    challenges = [dict(view.response.headers).get("www-authenticate") for view in (seen, bare) if view.response]
    return seen.response.status == bare.response.status and challenges[0] == challenges[1]


def _status(seen: ClientView) -> int:
    return seen.response.status if seen.response else 0


def now() -> float:
    """Our clock, which the server's is compared with."""
    return time.time()
