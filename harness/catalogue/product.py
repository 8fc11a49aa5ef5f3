"""The part of a catalogue that is about one product."""

from __future__ import annotations

from dataclasses import replace

from harness.catalogue.loader import Catalogue
from harness.errors import UsageError
from harness.model.catalogue import Requirement
from harness.products.registry import product


def of_product(catalogue: Catalogue, name: str) -> Catalogue:
    """Servers, flows and requirements of the product called *name*, all of them for the name ''.

    Raises :class:`UsageError` for an unknown product, or one that has no flow in *catalogue*.
    """
    if not name:
        return catalogue
    title = product(name).title
    flows = {key: flow for key, flow in catalogue.flows.items() if flow.server.product == name}
    if not flows:
        raise UsageError(f"the target has no flow of the product {name!r}", hint="leave --product out")
    servers = {key: server for key, server in catalogue.servers.items() if server.product == name}
    rows = tuple(row for row in (_narrowed(row, frozenset(flows)) for row in catalogue.requirements) if row.cells)
    return replace(catalogue, product=title, servers=servers, flows=flows, requirements=rows)


def _narrowed(row: Requirement, flows: frozenset[str]) -> Requirement:
    blocks = (replace(block, flows=tuple(name for name in block.flows if name in flows)) for block in row.cells)
    return replace(row, cells=tuple(block for block in blocks if block.flows))
