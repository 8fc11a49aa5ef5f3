"""The field's words as closed sets.  Their values are what reports, ids and the lab protocol carry."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How binding a requirement is (RFC 2119 words; ``STATED`` = a document says it is so, without a modal verb)."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"
    STATED = "stated"


class Basis(StrEnum):
    """What a requirement rests on, strongest first."""

    DOCUMENT = "document"
    PUBLIC_DOCS = "public docs"
    PUBLIC_CODE = "public code"
    ASSUMPTION = "assumption"


class Posture(StrEnum):
    """How a *server endpoint* authenticates its clients; the flows that end there inherit it."""

    DEFAULT = "default"
    MTLS = "mtls"
    JWT = "jwt"
    BOTH = "both"
    TLS_ONLY = "tls-only"


class Path(StrEnum):
    """What lies between client and server."""

    DIRECT = "direct"
    PASSTHROUGH = "passthrough"
    TERMINATING = "terminating"


class CertificateEncoding(StrEnum):
    """How a header holds the client's certificate that a proxy hands on."""

    PEM = "pem"
    PEM_SPACES = "pem-spaces"
    URL_ENCODED_PEM = "url-encoded-pem"
    BASE64_DER = "base64-der"
    URL_ENCODED_DER = "url-encoded-base64-der"
    RFC_9440 = "rfc9440"
    XFCC = "xfcc"


class Outcome(StrEnum):
    """What the judge says of one case."""

    PASS = "PASS"
    FAIL = "FAIL"
    WRONG_REASON = "WRONG_REASON"
    UNOBSERVED = "UNOBSERVED"
    UNSUPPORTED = "UNSUPPORTED"
    HARNESS_ERROR = "HARNESS_ERROR"


BROKEN = frozenset({Outcome.FAIL, Outcome.WRONG_REASON})
"""The outcomes that say a requirement is not met."""


class Grade(StrEnum):
    """What kind of evidence a verdict rests on."""

    BOTH_SIDES = "both-sides"
    CLIENT_ONLY = "client-only"
    CONFIG = "config"
    PACKETS = "packets"


class Depth(StrEnum):
    """How much of the catalogue a run takes."""

    QUICK = "quick"
    FULL = "full"


class Reason(StrEnum):
    """Why a server turned a client away; the reference subsystems log it, the checks compare it."""

    NOT_TLS = "not-tls"
    TLS_HANDSHAKE = "tls-handshake"
    CERTIFICATE_MISSING = "certificate-missing"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted"
    CERTIFICATE_REVOKED = "certificate-revoked"
    CERTIFICATE_VALIDITY = "certificate-validity"
    CERTIFICATE_PURPOSE = "certificate-purpose"
    CERTIFICATE_CHAIN = "certificate-chain"
    CERTIFICATE_KEY = "certificate-key"
    SUBJECT_MISMATCH = "subject-mismatch"
    TOKEN_MISSING = "token-missing"
    TOKEN_MALFORMED = "token-malformed"
    TOKEN_ALGORITHM = "token-algorithm"
    TOKEN_KEY = "token-key"
    TOKEN_SIGNATURE = "token-signature"
    TOKEN_EXPIRED = "token-expired"
    TOKEN_NOT_YET_VALID = "token-not-yet-valid"
    TOKEN_CLAIMS = "token-claims"
    KEYS_UNAVAILABLE = "keys-unavailable"
    BAD_REQUEST = "bad-request"
    NOT_FOUND = "not-found"


EXPORTS, AND = "exports:", " + "
"""How a target names exported files, and how several are written as one."""


def is_file(target: str) -> bool:
    """Whether a target of that name is files of the user's, not one of our own labs."""
    parts = target.split(AND)
    return any(part.startswith(EXPORTS) or part.endswith((".yaml", ".yml")) or "/" in part for part in parts)


INTERRUPTED = "interrupted before it ran"
"""What the row of a case says that an interrupted run did not come to."""
