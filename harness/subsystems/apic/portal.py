"""The portal: registers management services at its director admin endpoint.  Paths and bodies are an assumption."""

from __future__ import annotations

from harness.subsystems.server.registrations import Registrations


class Portal(Registrations):
    """The portal director."""

    prefixes = ("/api/portals/",)
