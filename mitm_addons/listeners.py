"""A listener's configuration: read from the command and checked before anything opens.  Knows no proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from OpenSSL import SSL

from harness.decode.shape import read
from harness.errors import LabError
from harness.model.protocol import Behaviours, Listener
from mitm_addons import contexts


@dataclass(frozen=True)
class OpenListener:
    """A listener with its port and its TLS contexts (None on a passthrough, which has no keys at all)."""

    listener: Listener
    port: int
    front: SSL.Context | None
    upstream: SSL.Context | None


def parse(data: object) -> Listener:
    """The listener that *data*, JSON of the command ``listen``, describes.  Raises LabError if it is wrong."""
    try:
        return read(data, Listener)
    except ValueError as error:
        where = f"listener {data.get('id')!r}" if isinstance(data, Mapping) else ""
        raise LabError(str(error), where=where) from error


def check(listener: Listener) -> None:
    """Raise LabError if *listener* makes no sense."""
    if problem := _problem(listener):
        raise LabError(problem, where=f"listener {listener.id!r}")


def load_contexts(listener: Listener) -> tuple[SSL.Context | None, SSL.Context | None]:
    """The TLS contexts towards clients and towards the server.  Raises LabError for a file that cannot be used."""
    if listener.mode == "passthrough":
        return None, None
    behaviours = listener.behaviours
    try:
        return (
            contexts.front(str(listener.certificate), asks=bool(behaviours.certificate_header)),
            contexts.upstream(listener.upstream_ca, behaviours.client_certificate, verify=behaviours.verify_upstream),
        )
    except (SSL.Error, OSError, ValueError) as error:
        raise LabError(f"certificate files cannot be used: {error!r}", where=f"listener {listener.id!r}") from error


def _problem(listener: Listener) -> str:
    """Why *listener* makes no sense, or ''."""
    if not listener.id:
        return "id must be a non-empty text"
    if not 0 < listener.upstream_port < 65536:
        return f"upstream_port {listener.upstream_port!r} is not a valid TCP port"
    if listener.upstream_timeout <= 0:
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
    return ""
