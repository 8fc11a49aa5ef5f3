"""Analytics: keeps the API events it is sent at its ingestion endpoint.  Path and body are an assumption."""

from __future__ import annotations

from collections import deque

from harness.subsystems.server.application import Application, HttpResponse, json_object, name_in, nothing_here
from harness.subsystems.server.connection_record import HttpRequest

KEPT = 100_000
"""Ids of that many latest events are remembered."""


class Analytics(Application):
    """``POST /ingestion`` with ``{"id": ..., "event": ...}`` keeps an event."""

    def __init__(self) -> None:
        self._ids: deque[str] = deque(maxlen=KEPT)

    def act(self, ask: HttpRequest) -> HttpResponse:
        """Keep the event."""
        if ask.method != "POST" or ask.path != "/ingestion":
            raise nothing_here(ask)
        members = json_object(ask.body)
        name_in(members, "event")
        event = name_in(members, "id")
        self._ids.append(event)
        return HttpResponse(202, {"id": event})

    def effects(self) -> list[str]:
        """Ids of the events kept, oldest first."""
        return list(self._ids)
