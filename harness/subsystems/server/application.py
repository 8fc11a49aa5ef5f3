"""What a subsystem does once a client was let in.  The base of portal, analytics, gateways; knows no TLS, no tokens."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.model.vocabulary import Reason
from harness.subsystems.server.client import Call, Reply, Trust
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.rejection import Rejected

MAX_NAME = 256
Outgoing = Callable[[Call, Trust], Awaitable[Reply]]
"""Makes a request to another server, which the trust verifies; raises CallFailed."""


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP answer; ``body`` is sent as JSON, or as it is where it is bytes already."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = field(default=())


class Application:
    """A server's purpose."""

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Do what *ask* asks; raises Rejected (not-found, bad-request), and then nothing was done."""
        raise NotImplementedError

    async def answer(self, ask: HttpRequest) -> HttpResponse:
        """What :meth:`act` does, for an application that has to ask other servers first."""
        return self.act(ask)

    def connect(self, outgoing: Outgoing, hosts: Mapping[str, str]) -> None:
        """Note how requests to other servers are made, and where *hosts* are to be found; most make none."""

    def refusal(self, rejection: Rejected, usual: HttpResponse) -> HttpResponse:
        """How a request that is turned away is answered: as *usual*, unless the product has words of its own."""
        return usual

    def effects(self) -> list[str]:
        """What was done, by the name or id the client gave it."""
        return []


def nothing_here(ask: HttpRequest) -> Rejected:
    """The rejection of a path or method that is not served."""
    return Rejected(Reason.NOT_FOUND, f"nothing is served at {ask.method} {ask.path[:MAX_NAME]}")


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*; raises Rejected (bad-request)."""
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.BAD_REQUEST, "the body is not JSON") from error
    if not isinstance(value, dict):
        raise Rejected(Reason.BAD_REQUEST, "the body is not a JSON object")
    return value


def name_in(members: dict[str, Any], member: str) -> str:
    """The string *member* of *members*, 1 to MAX_NAME characters; raises Rejected (bad-request)."""
    value = members.get(member)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise Rejected(Reason.BAD_REQUEST, f"{member} is missing or no short string")
    return value
