"""An application that keeps what is put under a name: what several reference servers do once a client was let in."""

from __future__ import annotations

from typing import Any

from harness.model.vocabulary import Reason
from harness.subsystems.server.application import Application, HttpResponse, json_object, name_in, nothing_here
from harness.subsystems.server.connection_record import HttpRequest
from harness.subsystems.server.rejection import Rejected


class Registrations(Application):
    """``PUT <prefix><name>`` with ``{"name": <name>, ...}`` keeps a record under that name."""

    prefixes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Any]] = {}

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Register, or say again what is registered."""
        prefix = next((prefix for prefix in self.prefixes if ask.path.startswith(prefix)), None)
        if ask.method != "PUT" or prefix is None:
            raise nothing_here(ask)
        members = json_object(ask.body)
        name = name_in(members, "name")
        if ask.path != prefix + name:
            raise Rejected(Reason.BAD_REQUEST, "the name in the body is not the one in the path")
        self._records[name] = members
        return HttpResponse(201, {"name": name, "state": "enabled"})

    def effects(self) -> list[str]:
        """Names of what is registered."""
        return list(self._records)
