"""Every decision of a reference subsystem as a value that can be replaced; the defaults are the documented behaviour.

A fault replaces one field.  So a field holds one decision and no field does two things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from cryptography import x509

from harness.model.vocabulary import Reason
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.distinguished_name import same_name
from harness.subsystems.server.jwks import ALGORITHM, Keys, parse_keys, signed_by_published_key
from harness.subsystems.server.jws import Token
from harness.subsystems.server.rejection import documented_status

T = TypeVar("T")


class Demand(Enum):
    """What a server asks of its client in the handshake."""

    NOTHING = "nothing"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True)
class Protection:
    """What the configuration of a server says about its clients: ``validate`` is mtlsValidateClient with its default
    applied, ``ignores_token_under_mtls`` a property of the kind (analytics).  ``issuer`` and ``audience`` are what a
    token must name; '' = not compared.  ``binds`` says that a token may be bound to a certificate (RFC 8705), which is
    verified elsewhere."""

    validate: bool
    jwks_url: str
    ignores_token_under_mtls: bool = False
    issuer: str = ""
    audience: str = ""
    binds: bool = False


@dataclass(frozen=True)
class CertificateProblem:
    """What OpenSSL found wrong: an X509_V_ERR number and the certificate it is about; ``authorities`` are trusted."""

    errno: int
    depth: int
    certificate: x509.Certificate
    authorities: tuple[x509.Certificate, ...]


def documented_demand(protection: Protection) -> Demand:
    """mTLS on: a certificate is required; off: none is requested at all."""
    return Demand.REQUIRED if protection.validate else Demand.NOTHING


def documented_token_use(protection: Protection) -> bool:
    """jwksUrl set = verify the JWT, except that analytics does not look at it while mTLS is on."""
    return bool(protection.jwks_url) and not (protection.validate and protection.ignores_token_under_mtls)


def tolerate_nothing(problem: CertificateProblem) -> bool:
    """OpenSSL's verdict stands."""
    return False


def as_given(value: T) -> T:
    """The documented value, unchanged."""
    return value


def exactly(name: str, claim: object) -> bool:
    """Case-sensitive, without any normalisation (RFC 7519 section 4.1.1, RFC 9068 section 4)."""
    return claim == name


def among(name: str, claim: object) -> bool:
    """One string or an array of them (RFC 7519 section 4.1.3)."""
    return claim == name or (isinstance(claim, list) and name in claim)


def nobody(ask: HttpRequest) -> bool:
    """No request is let in without what protects the server, however it comes."""
    return False


def nothing_known(compact: str) -> bool:
    """Every token is verified each time it comes."""
    return False


def forget(compact: str) -> None:
    """Nothing is kept of a token that was accepted."""


def everything(path: str) -> bool:
    """Every path of an endpoint is protected alike."""
    return True


@dataclass(frozen=True)
class ServerPolicy:
    """The decisions, in the order in which they are made."""

    # Configuration: mtlsValidateClient where it is not set (given: the documented default); may both be off?
    default_validate: Callable[[bool], bool] = as_given
    may_be_unprotected: bool = False
    # Connection
    answers_clear_text: bool = False
    demand: Callable[[Protection], Demand] = documented_demand
    tolerates: Callable[[CertificateProblem], bool] = tolerate_nothing
    same_subject: Callable[[x509.Name, x509.Name], bool] = same_name
    # Request: is a token verified, must there be one, where may it be, is it verified before anything is done?
    verifies_token: Callable[[Protection], bool] = documented_token_use
    token_required: bool = True
    takes_query_token: bool = False
    acts_first: bool = False
    # Is a certificate asked for in the handshake, or of each request (given the documented demand, in the handshake)?
    # Which requests need no credential?  How is a request read once it is let in?
    asks_each_request: bool = False
    excuses: Callable[[HttpRequest], bool] = nobody
    reads: Callable[[HttpRequest], HttpRequest] = as_given
    # Do sessions of another name, for which no certificate is asked, resume under this one?
    resumes_other_names: bool = False
    status: Callable[[Reason], int] = documented_status
    # Token
    algorithms: frozenset[str] = frozenset({ALGORITHM})
    checks_crit: bool = True
    proof: Callable[[Token, Keys], None] = signed_by_published_key
    checks_expiry: bool = True
    requires_expiry: bool = True
    checks_not_before: bool = True
    leeway: float = 0.0  # seconds that exp and nbf are off at most
    # Is a token (compact form) taken without being verified?  What is kept of one that was accepted?
    remembered: Callable[[str], bool] = nothing_known
    remember: Callable[[str], None] = forget
    # Expected name, claim: does the claim name it?
    names_issuer: Callable[[str, object], bool] = exactly
    names_audience: Callable[[str, object], bool] = among
    # Keys: seconds they may be used (given: the kind's), what if there are none, is their server verified?
    key_lifetime: Callable[[float], float] = as_given
    works_without_keys: bool = False
    refetches: Callable[[bool], bool] = as_given
    keeps_keys_on_failure: bool = True
    reads_keys: Callable[[bytes], Keys] = parse_keys
    verifies_key_server: bool = True
    # Whose old name of mtlsValidateClient counts?  Whose paths are protected?  (given: the documented answer)
    reads_old_switch: bool = True
    protects: Callable[[str], bool] = everything
    # A gateway as a client of analytics: does it send a JWT? (given: the kind's)
    sends_event_token: Callable[[bool], bool] = as_given
    presents_newest: bool = True
    # Management's key set: what is published besides the public keys?
    publishes: Callable[[bytes], bytes] = as_given
    # Any subsystem as a client
    sends_token: bool = True
    token_age: float = 0.0
    verifies_server: bool = True
    verifies_host: bool = True
    trusts: Callable[[tuple[x509.Certificate, ...]], tuple[x509.Certificate, ...]] = as_given
    # What a product's own code leaves out, by the name of the fault
    slips: frozenset[str] = frozenset()
