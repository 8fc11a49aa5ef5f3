"""What packets show in clear text: bearer tokens, and HTTP of any other kind.  Pure: from connections to findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.model.connection import Connection, Content, HttpRequest


class Severity(StrEnum):
    """How serious a finding is; an error makes the command end with status 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class PacketFinding:
    """One thing that packets show: where (``file``, ``object`` = the connection), what, and how to mend it."""

    requirement: str
    severity: Severity
    file: str
    object: str
    message: str
    fix: str


def clear_text(connections: Iterable[Connection]) -> list[PacketFinding]:
    """Bearer tokens in clear text (STS-11), and other cleartext HTTP as a note."""
    found = []
    for connection in connections:
        tokens = [request for request in connection.requests if request.token is not None]
        if tokens:
            found.append(_token_finding(connection, tokens))
        elif connection.content in (Content.HTTP, Content.HTTP2):
            found.append(_http_note(connection))
    return found


def _token_finding(connection: Connection, requests: list[HttpRequest]) -> PacketFinding:
    first = requests[0]
    assert first.token is not None
    more = f", and in {len(requests) - 1} more of this connection" if len(requests) > 1 else ""
    shown = f"sha256 {first.token.sha256[:16]}, header {first.token.header}, claims {first.token.claims}"
    return PacketFinding(
        "STS-11",
        Severity.ERROR,
        connection.files[0] if connection.files else "",
        described(connection),
        f"a bearer token travels in clear text: {first.method} {first.path} ({shown}){more}",
        "send tokens over TLS only; a captured token can be used until it expires",
    )


def _http_note(connection: Connection) -> PacketFinding:
    schemes = sorted({request.scheme for request in connection.requests if request.scheme})
    what = "HTTP/2" if connection.content is Content.HTTP2 else "HTTP"
    extra = f", with the Authorization scheme {', '.join(schemes)}" if schemes else ""
    if connection.content is Content.HTTP2:
        extra = "; its headers are compressed and were not read"
    return PacketFinding(
        "FLW-0",
        Severity.NOTE,
        connection.files[0] if connection.files else "",
        described(connection),
        f"{what} in clear text{extra}",
        "if this is a flow between subsystems, it must use TLS; declare the endpoints with --flows TARGET",
    )


def described(connection: Connection) -> str:
    """``10.0.0.1:40000 -> 10.0.0.2:443``."""
    return f"{connection.client} -> {connection.server}"
