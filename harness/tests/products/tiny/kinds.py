"""The reference servers of the tiny product, and the one mistake that they can make."""

from __future__ import annotations

from dataclasses import replace

from harness.subsystems.faults.registry import fault
from harness.subsystems.server.kind import Kind
from harness.subsystems.server.policy import ServerPolicy
from harness.subsystems.server.registrations import Registrations


class Books(Registrations):
    """Keeps books under their names."""

    prefixes = ("/books/",)


def _kind(name: str) -> Kind:
    return Kind(name, "Shelf", "endpoint", lambda _: Books(), validates=True, needs_one=True, can_jwt=False,
                key_cas=("unused", "unused"))  # fmt: skip


KINDS = (_kind("shelf"), _kind("desk"))


@fault("shelf-is-open", on=("shelf",))
def shelf_is_open(rules: ServerPolicy) -> ServerPolicy:
    """the shelf asks nobody for a certificate"""
    return replace(rules, default_validate=lambda documented: False)
