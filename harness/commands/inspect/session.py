"""The session file: what the inspector knows of its subject, and what the catalogue requires of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256

from harness.catalogue import Catalogue, expand
from harness.commands.inspect.subject import Subject, effective
from harness.decode.tokens import describe
from harness.errors import UsageError
from harness.model.case import GOOD, Case
from harness.model.catalogue import Flow
from harness.model.exchange import TokenView
from harness.model.inspection import ExpectedForm, PrivateFiles, RequirementForm, SessionForm, TokenForm
from harness.model.vocabulary import Path, Posture
from harness.pki.deployment import public_jwk
from harness.pki.private_files import private_file
from harness.stimuli.partial import StimulusUnavailable
from harness.stimuli.tokens import TOKEN_CLASSES

NO_CERTIFICATE = "tls-no-cert"
_NO_TOKEN = "str-no-token"
_SECOND, _MALFORMED = "id-second-registered", "header-malformed"
_CERTIFICATES = frozenset({NO_CERTIFICATE, "ta-unknown-ca", _SECOND, _MALFORMED})
_VARIANTS = ("exp-past", "aud-wrong", "sig-wrong-key", "alg-none")


def session(subject: Subject, *, as_client: bool) -> SessionForm:
    """Everything but the private files (:func:`secrets`): it can be handed on, and read anywhere."""
    flow, entrypoint = subject.flow, subject.entrypoint
    address = entrypoint.address
    known = subject.catalogue.classes
    kinds = {name: row for name, row in known.items() if row.kind == "token" or name in _CERTIFICATES}
    requested = expected(
        subject.catalogue, subject.target.features, flow, entrypoint.setup.posture, as_client=as_client
    )
    return {
        "flow": asdict(flow),
        "posture": str(entrypoint.setup.posture),
        "upstream": {"host": address.host, "port": address.port, "server_name": address.server_name,
                     "ca": entrypoint.ca.read_text("utf-8")},
        "token": _token_rules(subject, requested),
        "dialect": subject.bench.dialect.to_json(),
        "as_client": as_client,
        "target": str(subject.file.resolve()) if subject.file else "",
        "expected": requested,
        "classes": {name: sorted(map(str, row.acceptable_reasons)) for name, row in kinds.items()},
        "certificates": _certificates(subject),
    }  # fmt: skip


def _certificates(subject: Subject) -> dict[str, str]:
    """By digest, the classes of the certificates that a gateway may be configured with."""
    if not subject.flow.server.certificate_header:
        return {}
    found: dict[str, str] = {}
    for name in (_SECOND, GOOD):
        try:
            certificate = subject.bench.stimuli.certificate(subject.flow.client_secret, name)
        except StimulusUnavailable:
            continue
        if certificate is not None:
            found[certificate.fingerprint(SHA256()).hex()] = name
    return found


def secrets(subject: Subject, *, as_client: bool) -> PrivateFiles:
    """The private files, which last as long as the session."""
    client = subject.bench.stimuli.certificate_file(subject.flow.client_secret) if as_client else None
    if as_client and client is None:
        raise UsageError(
            "there is no client certificate to present",
            hint="add one under client in the target file, or leave out --as-client",
        )
    renew(subject)
    return {
        "certificate": str(subject.front()),
        "client_certificate": str(client or ""),
        "variants": str(subject.folder / "variants.json"),
    }


def renew(subject: Subject) -> None:
    """Write fresh tokens to send again with: what is wrong with each must stay the only thing wrong."""
    made: dict[str, Callable[[], str]] = {
        name: lambda name=name: subject.token(name, "variant") for name in _VARIANTS  # type: ignore[misc]
    }  # fmt: skip
    found = {name: token for name, make in made.items() if (token := _made(make))}
    private_file(subject.folder / "variants.json", json.dumps(found).encode())


def _made(make: Callable[[], str]) -> str:
    try:
        return make()
    except StimulusUnavailable:
        return ""


def _token_rules(subject: Subject, wanted: Collection[str]) -> TokenForm:
    """As the good token is, so must the others be; without a good one, signatures cannot be judged."""
    good = _made(lambda: subject.token(GOOD, "rules"))
    observed = describe(good)
    header, claims = observed.header or {}, observed.claims or {}
    if good and not (header and claims):
        raise UsageError("the good token is not a JWT, and hopproof inspect judges only JWTs")
    audience = claims.get("aud", [])
    return {
        "keys": {"keys": _keys(subject, observed)},
        "algorithms": [str(header.get("alg", "RS256"))],
        "issuer": str(claims.get("iss", "")),
        "audience": [audience] if isinstance(audience, str) else list(audience),
        "required": [name for name in ("exp", "iss", "aud") if _required(name, claims, wanted)],
        "complete": subject.file is None,
    }


def _required(name: str, claims: Mapping[str, Any], wanted: Collection[str]) -> bool:
    """Whether a token must have the claim: as the good one has it, if a requirement speaks of those without it."""
    if name == "exp":
        return not claims or name in claims
    return name in claims and f"{name}-missing" in wanted


def _keys(subject: Subject, good: TokenView) -> list[dict[str, str]]:
    try:
        public = public_jwk(subject.bench.stimuli.signing_key_for(subject.flow.server).public_key())
    except StimulusUnavailable:
        return []
    kid = (good.header or {}).get("kid")
    return [{**public, **({"kid": kid} if isinstance(kid, str) else {})}]


def expected(
    known: Catalogue, features: Collection[str], flow: Flow, posture: Posture, *, as_client: bool = False
) -> dict[str, ExpectedForm]:
    """What the catalogue wants of *flow* behind something that terminates TLS, by class of token.

    Under mTLS nothing may get through such a place, whatever the token; with *as_client*, where it presents the
    client's own certificate, what holds directly holds here too.  Of a gateway, by class of certificate and token.
    Of a service of which no single request is judged, what holds for any service.
    """
    first = Path.DIRECT if as_client else Path.TERMINATING
    cases = _cases(known, features, flow, posture)
    if flow.modes:
        return _combined(cases)
    cases = sorted((case for case in cases if _plain(case)), key=lambda case: case.path is not first)
    if as_client:
        cases = [case for case in cases if case.expected != "flow-broken"]
    found: dict[str, ExpectedForm] = {}
    for case in cases:
        if case.stimulus.certificate == GOOD and case.expected in ("served", "token-refused", "flow-broken"):
            found.setdefault(case.stimulus.token, _credential(case))
    if broken := next((item for item in found.values() if item["check"] == "flow-broken"), None):
        return dict.fromkeys([GOOD, *TOKEN_CLASSES], broken)
    if effective(flow, posture) in (Posture.MTLS, Posture.TLS_ONLY):
        for one, other in ((GOOD, _NO_TOKEN), (_NO_TOKEN, GOOD)):  # tokens are not verified there
            if one in found:
                found.setdefault(other, found[one])
    if as_client and (bare := next(filter(_without_certificate, cases), None)):
        found[NO_CERTIFICATE] = _credential(bare)
    return found


def _cases(known: Catalogue, features: Collection[str], flow: Flow, posture: Posture) -> list[Case]:
    """The cases of *flow*; of one with scripts only those of the same product's service that stands for any."""
    of_posture = [case for case in expand(known, features)[0] if case.posture is posture]
    own = [case for case in of_posture if case.flow is flow]
    if any(map(_plain, own)):
        return own
    return [case for case in of_posture if case.flow.any_service and case.flow.server.product == flow.server.product]


def _combined(cases: Iterable[Case]) -> dict[str, ExpectedForm]:
    """What is wanted of a gateway that is configured with modes, by everything that a client presents."""
    found: dict[str, ExpectedForm] = {}
    for case in cases:
        plain = _plain(case) or (case.stimulus.transport == _MALFORMED and not case.params.variant)
        if plain and case.expected in ("served", "unauthenticated", "token-refused"):
            found.setdefault(case.stimulus.id, _credential(case))
    return found


def _without_certificate(case: Case) -> bool:
    stimulus = case.stimulus
    return stimulus.certificate == NO_CERTIFICATE and stimulus.token == GOOD and case.path is Path.DIRECT


def _plain(case: Case) -> bool:
    """A request that is sent once, as the flow has it, to a server as it is."""
    params = case.params
    return case.stimulus.transport == GOOD and not (params.script or params.variant or params.path)


def _credential(case: Case) -> ExpectedForm:
    row = case.requirement
    requirement: RequirementForm = {
        "id": row.id, "area": row.area, "text": row.text, "why": row.why, "level": str(row.level),
        "source": [row.source.title, row.source.section], "basis": str(row.basis),
    }  # fmt: skip
    return {"check": case.expected, "requirement": requirement, "case": case.id,
            "statuses": sorted(case.params.statuses)}  # fmt: skip
