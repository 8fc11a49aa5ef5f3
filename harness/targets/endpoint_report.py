"""What was seen of an endpoint: in words, as JSON, and as a target file.  Connects to nothing.

Whatever a server said is made harmless before it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from harness.decode.certificates import view
from harness.decode.redaction import redact
from harness.errors import UsageError
from harness.model.exchange import ClientView
from harness.model.vocabulary import Posture
from harness.targets import file as target_file
from harness.targets.file import Endpoint
from harness.targets.obstacles import answer, certificate_was_missing, clock
from harness.targets.schema import PLAIN_HTTP
from harness.wire.handshake import Handshake

_MOST = 200
_CHALLENGE = re.compile(r'([A-Za-z_][\w-]*)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


@dataclass(frozen=True)
class ProbeOptions:
    """What is to be looked at.  ``cert`` and ``key`` are a client's, shown in a second request."""

    url: str
    ca: str = ""
    connect: str = ""
    cert: str = ""
    key: str = ""

    def endpoint(self) -> Endpoint:
        """Where that is; raises :class:`UsageError` for what is not an https URL or not an address."""
        if self.url.lower().startswith("http://"):
            raise UsageError(PLAIN_HTTP, where=self.url, hint="give the https URL")
        if bool(self.cert) is not bool(self.key):
            raise UsageError("--cert and --key must be given together")
        server = {"url": self.url, "ca": self.ca or "ca.crt", "posture": "tls-only"}
        server |= {"connect": self.connect} if self.connect else {}
        data = {"product": {"name": "probed"}, "environment": "test", "servers": {"service": server}}
        try:
            return target_file.parse(data, Path.cwd() / "target.yaml").endpoints["service"]
        except UsageError as error:
            raise UsageError(
                error.what.replace("servers.service.", ""), hint="hopproof target probe https://host:port/path"
            ) from error


class CertificateFacts(TypedDict):
    """One certificate of the chain."""

    subject: str
    issuer: str
    names: list[str]
    expires: str
    key: str


class Facts(TypedDict):
    """What was seen, for ``--json``; the answers have a status, and the headers that say something."""

    url: str
    connected_to: str
    tls_versions: list[str]
    client_certificate: str
    accepted_cas: list[str]
    chain: list[CertificateFacts]
    under_the_ca: bool | None
    untrusted_because: str | None
    alpn: list[str]
    unauthenticated: Mapping[str, int | str | None]
    with_client_certificate: Mapping[str, int | str | None] | None
    challenge: dict[str, str]
    clock_seconds_off: float | None
    posture_guessed: str
    guessed_because: str


@dataclass(frozen=True)
class Probe:
    """What was seen.  ``untrusted`` says why the certificate is not under the CA given, None where none was given."""

    wanted: ProbeOptions
    endpoint: Endpoint
    shown: Handshake
    versions: tuple[str, ...]
    protocols: tuple[str, ...]
    untrusted: str | None
    bare: ClientView
    at: float
    client: ClientView | None = None

    @property
    def certificate(self) -> str:
        """Whether a client certificate is ``not asked for``, ``requested`` or ``required``."""
        if not self.shown.asked:
            return "not requested"
        return "required" if certificate_was_missing(self.bare, good_token=False) else "requested"

    @property
    def challenge(self) -> str:
        """The WWW-Authenticate of the answer that came nearest to the application."""
        return _header(self.client or self.bare, "www-authenticate") or _header(self.bare, "www-authenticate")

    def guess(self) -> tuple[Posture, str]:
        """The posture that fits best, and why."""
        status = _status(self.client or self.bare)
        wants_token = self.challenge.lower().startswith("bearer") or status == 401
        if self.certificate == "required":
            if self.client is not None and wants_token:
                return Posture.BOTH, "it requires a client certificate, and a token as well"
            return Posture.MTLS, "it requires a client certificate; whether it also verifies a token cannot be seen"
        if self.certificate == "requested" and not wants_token:
            message = f"without one the request is {answer(self.bare)}"
            return Posture.MTLS, f"it requests a client certificate; {message}"
        if 200 <= status < 300:
            return Posture.TLS_ONLY, "it serves this path without authentication; give a protected path"
        return (
            Posture.JWT,
            f"it requests no client certificate, and a request without a token is {answer(self.bare)}",
        )

    def to_json(self) -> Facts:
        """What was seen, as JSON has it."""
        posture, why = self.guess()
        return {
            "url": self.wanted.url,
            "connected_to": "{}:{}".format(*self.endpoint.connect),
            "tls_versions": list(self.versions),
            "client_certificate": self.certificate,
            "accepted_cas": list(self.shown.authorities),
            "chain": [_certificate(item) for item in self.shown.chain],
            "under_the_ca": None if self.untrusted is None else not self.untrusted,
            "untrusted_because": self.untrusted or None,
            "alpn": list(self.protocols),
            "unauthenticated": _answered(self.bare),
            "with_client_certificate": None if self.client is None else _answered(self.client),
            "challenge": _challenge(self.challenge),
            "clock_seconds_off": clock(self.bare, self.at) if _header(self.bare, "date") else None,
            "posture_guessed": str(posture),
            "guessed_because": why,
        }

    def lines(self) -> Iterator[str]:
        """What was seen, in words."""
        facts = self.to_json()
        yield f"{plain(facts['url'])} (connected to {facts['connected_to']})"
        yield f"TLS versions: {', '.join(self.versions) or 'none that our library speaks'}"
        yield f"client certificate: {self.certificate}"
        if self.shown.asked:
            names = "; ".join(map(plain, self.shown.authorities))
            yield f"accepted CAs: {names or 'none named: any may be tried'}"
        for number, item in enumerate(facts["chain"]):
            yield f"certificate {number}: " + ", ".join(
                f"{name} {plain(_joined(value))}" for name, value in item.items() if value
            )
        if self.untrusted is not None:
            yield f"under the CA given: {'no: ' + plain(self.untrusted) if self.untrusted else 'yes'}"
        yield f"ALPN: {', '.join(self.protocols) or 'none chosen (HTTP/1.1)'}"
        yield from self._answers(facts)
        yield f"posture (guessed): {facts['posture_guessed']}: {plain(facts['guessed_because'])}"

    def _answers(self, facts: Facts) -> Iterator[str]:
        yield f"without credentials: GET {plain(self.endpoint.url_path)}: {answer(self.bare)}"
        if self.client is not None:
            yield f"with the client certificate: {answer(self.client)}"
        message = facts["unauthenticated"]
        for name, label in (("location", "redirects to"), ("server", "Server")):
            if text := message.get(name):
                yield f"{label}: {plain(str(text))}"
        if facts["challenge"]:
            yield "challenge: " + ", ".join(f"{name} {plain(text)}" for name, text in facts["challenge"].items())
        off = facts["clock_seconds_off"]
        if not _header(self.bare, "date"):
            yield "clock: unknown (no Date header)"
        else:
            yield "clock: agrees with this machine's" if off is None else f"clock: {off:+.0f} s from this machine's"

    def target(self) -> str:
        """A target file that says what was seen; its posture is a guess."""
        posture, why = self.guess()
        status = _status(self.client or self.bare)
        success = status if 200 <= status < 300 else 200
        issuer = view(self.shown.chain[-1]).issuer if self.shown.chain else ""
        connect = [f"    connect: {_quoted(self.wanted.connect)}"] if self.wanted.connect else []
        lines = [
            "# Written by hopproof target probe; guesses are marked.  hopproof target init explains the rest.",
            f"product: {{name: {_quoted(self.endpoint.host)}}}",
            "environment: test          # lab | test | production",
            "servers:",
            "  service:",
            f"    url: {_quoted(self.wanted.url)}",
            *connect,
            f"    ca: {_quoted(_file(self.wanted.ca, 'ca.crt'))}   # of its chain; that ends under {plain(issuer)}",
            f"    posture: {posture}   # guessed: {plain(why)}",
            f"    request: {{method: GET, success: {success}}}   # the status of a good request",
            *self._client(posture),
            *_tokens(posture),
        ]
        return "\n".join(lines) + "\n"

    def _client(self, posture: Posture) -> Iterator[str]:
        if posture in (Posture.MTLS, Posture.BOTH):
            certificate, key = _file(self.wanted.cert, "client.crt"), _file(self.wanted.key, "client.key")
            yield f"client: {{certificate: {_quoted(certificate)}, key: {_quoted(key)}}}"
            yield "# ca: and ca_key: beside them (labs only) allow the whole catalogue"


def _tokens(posture: Posture) -> Iterator[str]:
    if posture in (Posture.JWT, Posture.BOTH):
        yield (
            "# With a good token far more can be judged: captured, command, endpoint, jwks or "
            "signing_key in place of none."
        )
        yield "tokens: {none: true}"


def plain(text: str) -> str:
    """A server's words, harmless: no secret, nothing that a terminal obeys, not too many."""
    shown = "".join(letter if letter.isprintable() else " " for letter in redact(text))
    return shown if len(shown) <= _MOST else f"{shown[:_MOST]}..."


def _certificate(item: x509.Certificate) -> CertificateFacts:
    names = view(item)
    try:
        alternative = item.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        san = [str(name.value) for name in alternative]
    except (x509.ExtensionNotFound, ValueError):
        san = []
    try:
        expiry, key = f"{item.not_valid_after_utc:%Y-%m-%d}", _key(item)
    except ValueError:
        expiry, key = "unreadable", "unreadable"
    return {"subject": names.subject, "issuer": names.issuer, "names": san, "expires": expiry, "key": key}


def _key(item: x509.Certificate) -> str:
    key = item.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return f"EC {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__


def _answered(seen: ClientView) -> Mapping[str, int | str | None]:
    if seen.response is None:
        return {"status": None, "ended": answer(seen)}
    kept = ("location", "server", "www-authenticate", "content-type")
    return {"status": seen.response.status, **{name: value for name in kept if (value := _header(seen, name))}}


def _challenge(text: str) -> dict[str, str]:
    """``Bearer realm="a", error="b"`` as its scheme and parameters (RFC 9110 section 11.6.1, RFC 9728)."""
    scheme, _, rest = text.strip().partition(" ")
    pairs = {match[1].lower(): match[2] or match[3] or "" for match in _CHALLENGE.finditer(rest[:2000])}
    return {"scheme": scheme, **pairs} if scheme else {}


def _joined(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _header(seen: ClientView, name: str) -> str:
    return dict(seen.response.headers).get(name, "") if seen.response else ""


def _status(seen: ClientView) -> int:
    return seen.response.status if seen.response else 0


def _file(given: str, name: str) -> str:
    return str(Path(given).resolve()) if given else name


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
