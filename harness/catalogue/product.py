"""The part of a catalogue that is about one product."""

from __future__ import annotations

from dataclasses import replace

from harness.catalogue.loader import Catalogue
from harness.errors import UsageError
from harness.model.catalogue import Requirement
from harness.products.registry import product, profiles


def of_product(catalogue: Catalogue, name: str) -> Catalogue:
    """Servers, flows and requirements of the product called *name*, all of them for the name ''.

    Raises :class:`UsageError` for an unknown product, or one that has no flow in *catalogue*.
    """
    if not name:
        return catalogue
    title = product(name).title
    flows = {key: flow for key, flow in catalogue.flows.items() if flow.server.product == name}
    if not flows and not any(block.exports == name for row in catalogue.requirements for block in row.cells):
        raise UsageError(f"the target has no flow of the product {name!r}", hint="leave --product out")
    servers = {key: server for key, server in catalogue.servers.items() if server.product == name}
    rows = tuple(row for row in (_narrowed(row, frozenset(flows), name) for row in catalogue.requirements) if row.cells)
    return replace(catalogue, product=title, servers=servers, flows=flows, requirements=rows)


def of_profile(catalogue: Catalogue, name: str) -> Catalogue:
    """*catalogue* without the rows of other readings of its documents than *name*; all of it for ''.

    Raises :class:`UsageError` for an unknown reading.
    """
    if not name:
        return catalogue
    if name not in profiles():
        raise UsageError(f"unknown profile {name!r}", hint=f"one of: {', '.join(profiles())}")
    rows = tuple(row for row in catalogue.requirements if row.profile in ("", name))
    return replace(catalogue, requirements=rows)


def of_files(catalogue: Catalogue, product: str) -> Catalogue:
    """What *catalogue* requires of exported files of *product* alone."""
    rows = (
        replace(row, cells=tuple(block for block in row.cells if block.exports == product))
        for row in catalogue.requirements
    )
    return replace(catalogue, servers={}, flows={}, requirements=tuple(row for row in rows if row.cells))


def without_files(catalogue: Catalogue) -> Catalogue:
    """What *catalogue* requires of servers alone."""
    rows = (
        replace(row, cells=tuple(block for block in row.cells if not block.exports)) for row in catalogue.requirements
    )
    return replace(catalogue, requirements=tuple(row for row in rows if row.cells))


def with_files(catalogue: Catalogue, documented: Catalogue, product: str) -> Catalogue:
    """*catalogue*, and what *documented* requires of exported files of *product*."""
    rows = {row.id: row for row in catalogue.requirements}
    for row in of_files(documented, product).requirements:
        known = rows.get(row.id)
        rows[row.id] = replace(known, cells=(*known.cells, *row.cells)) if known else row
    return replace(catalogue, requirements=tuple(rows.values()))


def _narrowed(row: Requirement, flows: frozenset[str], product: str) -> Requirement:
    blocks = (replace(block, flows=tuple(name for name in block.flows if name in flows)) for block in row.cells)
    return replace(row, cells=tuple(block for block in blocks if block.flows or block.exports == product))
