"""What an inspection is told, as a JSON file: the flow, its server, what verifies its tokens, what is required."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.model.catalogue import Flow, Requirement, Server, Source, StimulusClass
from harness.model.vocabulary import Basis, Level, Posture, Reason


@dataclass(frozen=True)
class Expected:
    """What must happen with one class of token, and the requirement that says so."""

    check: str
    requirement: Requirement
    case: str
    statuses: tuple[int, ...] = ()


@dataclass(frozen=True)
class TokenRules:
    """What a token of this flow must be.  ``jwks`` is a file with the public keys; ``issuer`` '' is not compared."""

    jwks: str
    algorithms: tuple[str, ...] = ("RS256",)
    issuer: str = ""
    leeway: float = 0.0
    required: tuple[str, ...] = ("exp",)


@dataclass(frozen=True)
class Session:
    """One flow under inspection.  ``variants`` is a private file: token class -> a token to send again with."""

    flow: Flow
    posture: Posture
    token: TokenRules
    expected: Mapping[str, Expected]
    classes: Mapping[str, StimulusClass]
    upstream: Mapping[str, Any] = field(default_factory=dict)
    certificate: str = ""
    variants: str = ""


def load(path: Path) -> Session:
    """The session in *path*; raises :class:`UsageError` for a file that is none."""
    try:
        return from_json(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"no inspection session: {error.strerror}", where=str(path), attempt=_HOW) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"not an inspection session: {error!r}", where=str(path), attempt=_HOW) from error


_HOW = "flowproof inspect --save FILE writes one"


def from_json(data: Mapping[str, Any]) -> Session:
    """The session that *data* describes; raises ValueError, KeyError or TypeError."""
    flow = data["flow"]
    server = flow["server"]
    postures = tuple(Posture(name) for name in server["postures"])
    known = Server(**{**server, "postures": postures, "default": Posture(server["default"])})
    classes = {
        name: StimulusClass(name, "token", "", frozenset(Reason(item) for item in reasons))
        for name, reasons in data["classes"].items()
    }
    return Session(
        flow=Flow(**{**flow, "server": known}),
        posture=Posture(data["posture"]),
        token=TokenRules(**{key: _tuple(value) for key, value in data["token"].items()}),
        expected={name: _expected(item) for name, item in data["expected"].items()},
        classes=classes,
        upstream=data["upstream"],
        certificate=data["certificate"],
        variants=data.get("variants", ""),
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _expected(data: Mapping[str, Any]) -> Expected:
    row = data["requirement"]
    requirement = Requirement(
        row["id"], row["area"], row["text"], row["why"], Level(row["level"]), Source(*row["source"]),
        Basis(row["basis"]), cells=(),
    )  # fmt: skip
    return Expected(data["check"], requirement, data["case"], tuple(data.get("statuses", ())))
