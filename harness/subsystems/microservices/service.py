"""A service behind an STS, as any team writes one: it keeps orders.  Paths and bodies are the reference's own."""

from __future__ import annotations

from harness.subsystems.server.registrations import Registrations


class Orders(Registrations):
    """``PUT /orders/<name>``."""

    prefixes = ("/orders/",)
