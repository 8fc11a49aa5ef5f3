"""A listener's configuration: read from the command and checked before anything opens.  Knows no proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

from OpenSSL import SSL

from harness.errors import LabError
from mitm_addons import contexts

UPSTREAM_TIMEOUT = 10.0
"""Seconds from a complete request to the server's complete answer, unless the listener says otherwise."""

LOOPBACK = "127.0.0.1"  # macOS has no other loopback address

T = TypeVar("T")


@dataclass(frozen=True)
class Behaviours:
    """How a terminating balancer strays from forwarding unchanged, as balancers in the field do.

    ``authorization``: ``keep``, ``strip`` (header removed) or ``alter`` (a character of the token's last part
    changed).  ``rewrite_body``: a blank is appended, which JSON permits but a digest notices.  ``client_certificate``:
    a PEM file with key and chain which the balancer presents upstream as its own.
    """

    send_sni: bool = True
    authorization: Literal["keep", "strip", "alter"] = "keep"
    client_certificate: str | None = None
    rewrite_body: bool = False
    verify_upstream: bool = True


@dataclass(frozen=True)
class Listener:
    """One address of the balancer, on ``host``.

    ``certificate``: PEM file, key and chain for clients; ``upstream_ca``: PEM, a file or its text.
    """

    id: str
    mode: Literal["passthrough", "terminating"]
    upstream_host: str
    upstream_port: int
    server_name: str = ""
    certificate: str | None = None
    upstream_ca: str | None = None
    upstream_timeout: float = UPSTREAM_TIMEOUT
    host: str = LOOPBACK
    behaviours: Behaviours = field(default_factory=Behaviours)


@dataclass(frozen=True)
class OpenListener:
    """A listener with its port and its TLS contexts (None on a passthrough, which has no keys at all)."""

    listener: Listener
    port: int
    front: SSL.Context | None
    upstream: SSL.Context | None


def parse(data: Mapping[str, Any]) -> Listener:
    """The listener that *data*, the arguments of the order ``listen``, describes.  Raises LabError if it is wrong."""
    where = f"listener {data.get('id')!r}"
    behaviours = data.get("behaviours") or {}
    if not isinstance(behaviours, Mapping):
        raise LabError("behaviours must be an object", where=where)
    strange = Behaviours(**_known(Behaviours, behaviours, where))
    listener = Listener(**{**_known(Listener, data, where), "behaviours": strange})
    problem = _problem(listener)
    if problem:
        raise LabError(problem, where=where)
    return listener


def load_contexts(listener: Listener) -> tuple[SSL.Context | None, SSL.Context | None]:
    """The TLS contexts towards clients and towards the server.  Raises LabError for a file that cannot be used."""
    if listener.mode == "passthrough":
        return None, None
    behaviours = listener.behaviours
    try:
        return (
            contexts.front(str(listener.certificate)),
            contexts.upstream(listener.upstream_ca, behaviours.client_certificate, verify=behaviours.verify_upstream),
        )
    except (SSL.Error, OSError, ValueError) as error:
        raise LabError(f"certificate files cannot be used: {error!r}", where=f"listener {listener.id!r}") from error


def _known(kind: type[T], data: Mapping[str, Any], where: str) -> dict[str, Any]:
    names = {item.name for item in fields(kind)}  # type: ignore[arg-type]  # called with dataclasses only
    unknown = sorted(set(data) - names)
    if unknown:
        raise LabError(f"unknown {kind.__name__.lower()} settings: {', '.join(unknown)}", where=where)
    try:
        kind(**data)
    except TypeError as error:
        raise LabError(str(error), where=where) from error
    return dict(data)


def _problem(listener: Listener) -> str:
    """Why *listener* makes no sense, or ''."""
    if not isinstance(listener.id, str) or not listener.id:
        return "id must be a non-empty text"
    if listener.mode not in ("passthrough", "terminating"):
        return f"unknown mode {listener.mode!r}"
    if not isinstance(listener.upstream_port, int) or not 0 < listener.upstream_port < 65536:
        return f"upstream_port {listener.upstream_port!r} is not a valid TCP port"
    if not isinstance(listener.upstream_timeout, int | float) or listener.upstream_timeout <= 0:
        return "upstream_timeout must be a number of seconds above 0"
    return _terminating_problem(listener) if listener.mode == "terminating" else _passthrough_problem(listener)


def _passthrough_problem(listener: Listener) -> str:
    return "a passthrough cannot have behaviours" if listener.behaviours != Behaviours() else ""


def _terminating_problem(listener: Listener) -> str:
    if not listener.certificate:
        return "a terminating listener needs a certificate"
    if not listener.server_name:
        return "a terminating listener needs the server_name it verifies upstream"
    if listener.behaviours.verify_upstream and not listener.upstream_ca:
        return "a terminating listener needs an upstream_ca to verify the server with"
    if listener.behaviours.authorization not in ("keep", "strip", "alter"):
        return f"unknown authorization behaviour {listener.behaviours.authorization!r}"
    return ""
