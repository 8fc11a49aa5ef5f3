"""What an inspection knows, as a JSON file: the flow, its server, what verifies its tokens, what is required."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.checks.dialect import Dialect
from harness.decode.shape import misfit
from harness.errors import UsageError
from harness.model.catalogue import CataloguedClass, Flow, Requirement, Server, Source
from harness.model.inspection import ExpectedForm, SessionForm, Upstream
from harness.model.vocabulary import Basis, CertificateEncoding, Level, Posture, Reason


@dataclass(frozen=True)
class Expected:
    """What must happen with one class of token, and the requirement that says so."""

    check: str
    requirement: Requirement
    case: str
    statuses: tuple[int, ...] = ()


@dataclass(frozen=True)
class TokenRules:
    """What a token of this flow must be.  ``keys`` is a JWK set of public keys; what is empty is not compared.

    ``complete`` says that the server knows no other keys and algorithms.  Of a third-party server that cannot be
    said, so a token with another key is not judged there.
    """

    keys: Mapping[str, Any]
    algorithms: tuple[str, ...] = ("RS256",)
    issuer: str = ""
    audience: tuple[str, ...] = ()
    leeway: float = 0.0
    required: tuple[str, ...] = ("exp",)
    complete: bool = True


@dataclass(frozen=True)
class Session:
    """One flow under inspection.  Without its private files it is what ``hopproof inspect --save`` writes.

    ``upstream``: host, port, server_name and ca (PEM text).  ``as_client``: the client's own certificate is presented
    to the server.  ``target``: the target file, '' for our own lab.  ``certificates``: by digest, the class of what a
    certificate header may hold.  The private files, '' where there is none:
    ``certificate`` for clients and ``client_certificate`` for the server (PEM, key and chain), ``variants`` (class -> a
    token to send again with).
    """

    flow: Flow
    posture: Posture
    token: TokenRules
    expected: Mapping[str, Expected]
    classes: Mapping[str, CataloguedClass]
    upstream: Upstream
    dialect: Dialect = field(default_factory=Dialect)
    as_client: bool = False
    target: str = ""
    certificates: Mapping[str, str] = field(default_factory=dict)
    certificate: str = ""
    client_certificate: str = ""
    variants: str = ""


def load(path: Path) -> Session:
    """The session in *path*; raises :class:`UsageError` for a file that is none."""
    try:
        data = json.loads(path.read_text("utf-8"))
        if wrong := misfit(data, SessionForm):
            raise ValueError(wrong)
        return from_json(data)
    except OSError as error:
        raise UsageError(f"no inspection session: {error.strerror}", where=str(path), hint=_HOW) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"not an inspection session: {error}", where=str(path), hint=_HOW) from error


PRIVATE = ("certificate", "client_certificate", "variants")
"""What names a file with a secret in it."""
_HOW = "hopproof inspect --save FILE writes one"


def from_json(data: SessionForm) -> Session:
    """The session that *data* describes; raises ValueError, KeyError or TypeError."""
    flow = data["flow"]
    server = flow["server"]
    postures = tuple(Posture(name) for name in server["postures"])
    encoding = CertificateEncoding(server.get("certificate_encoding", CertificateEncoding.PEM))
    typed = {"postures": postures, "default": Posture(server["default"]), "certificate_encoding": encoding}
    known = Server(**{**server, **typed})
    classes = {
        name: CataloguedClass(name, "token", "", frozenset(Reason(item) for item in reasons))
        for name, reasons in data["classes"].items()
    }
    return Session(
        flow=Flow(**{**flow, "server": known}),
        posture=Posture(data["posture"]),
        token=TokenRules(**{key: _tuple(value) for key, value in data["token"].items()}),
        expected={name: _expected(item) for name, item in data["expected"].items()},
        classes=classes,
        upstream=data["upstream"],
        dialect=Dialect.from_json(data["dialect"]),
        as_client=data["as_client"],
        target=data["target"],
        certificates=data.get("certificates", {}),
        certificate=data.get("certificate", ""),
        client_certificate=data.get("client_certificate", ""),
        variants=data.get("variants", ""),
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _expected(data: ExpectedForm) -> Expected:
    row = data["requirement"]
    requirement = Requirement(
        row["id"], row["area"], row["text"], row["why"], Level(row["level"]), Source(*row["source"]),
        Basis(row["basis"]), cells=(),
    )  # fmt: skip
    return Expected(data["check"], requirement, data["case"], tuple(data.get("statuses", ())))
