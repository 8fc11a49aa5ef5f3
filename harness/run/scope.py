"""What a run says about, in words."""

from __future__ import annotations

from harness.catalogue import Catalogue
from harness.products.registry import out_of_scope
from harness.targets.builtin import Target


def scope(target: Target, catalogue: Catalogue, profile: str) -> str:
    """What a verdict on *target* says, in which *profile* documents were read, and what is left out."""
    reading = f"Read in the profile {profile}." if profile else ""
    left_out = out_of_scope(server.product for server in catalogue.servers.values())
    return " ".join(filter(None, (target.scope, reading, left_out)))
