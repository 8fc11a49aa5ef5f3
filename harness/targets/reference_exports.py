"""The exported files of our own reference, and how they configure its servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from harness.catalogue.registry import catalogue
from harness.model.claims import Protection
from harness.model.vocabulary import Posture
from harness.probes.exports import Exports, Installation, Said
from harness.products.registry import file_rules


def flows_by_server() -> Mapping[str, Sequence[str]]:
    """The flows that end at each server of the topology."""
    found: dict[str, list[str]] = {}
    for flow in catalogue().flows.values():
        found.setdefault(flow.server.name, []).append(flow.name)
    return found


@cache
def _said() -> Said:
    """How the reference servers are protected with nothing configured."""
    return {
        name: (
            flow.server.verifies(Protection.CERTIFICATE, Posture.DEFAULT),
            flow.server.verifies(Protection.TOKEN, Posture.DEFAULT),
        )
        for name, flow in catalogue().flows.items()
    }


def reference_exports(product: str) -> Exports:
    """The exports of *product* that are judged in place of a user's."""
    installations = [Installation.of(export) for export in file_rules()[product].reference]
    return Exports(product, installations, _said(), flows_by_server())
