"""The same cases over more paths and on more flows than the catalogue names, for targets that are not our own lab."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import product

from harness.catalogue.loader import Catalogue
from harness.model.catalogue import Cells, Requirement
from harness.model.vocabulary import Path, Posture

# A balancer that terminates TLS cannot hand a client's certificate on: in these postures nothing is served behind one.
_MUTUAL = frozenset({Posture.MTLS, Posture.BOTH})
_CONNECTION = "kept-connection"  # the client's ends at a balancer, which keeps its own to the server


def widened(catalogue: Catalogue, ways: Mapping[str, Collection[Path]]) -> Catalogue:
    """*catalogue* with what it has on the direct path alone, in each area of *ways*, over those paths as well."""
    return replace(
        catalogue, requirements=tuple(_row(row, tuple(ways.get(row.area, ()))) for row in catalogue.requirements)
    )


def _row(row: Requirement, paths: tuple[Path, ...]) -> Requirement:
    return replace(row, cells=tuple(part for block in row.cells for part in _blocks(block, paths)))


def _blocks(block: Cells, paths: tuple[Path, ...]) -> Iterator[Cells]:
    # A script and a variant have a server of their own, started and driven in a way of its own.
    own = block.exports or block.params.script or block.params.variant or _CONNECTION in block.transports
    if own or block.paths != (Path.DIRECT,):
        yield block
        return
    carried = tuple(posture for posture in block.postures if posture not in _MUTUAL)
    if carried:
        yield replace(block, postures=carried, paths=(Path.DIRECT, *paths))
    if mutual := tuple(posture for posture in block.postures if posture in _MUTUAL):
        through = (path for path in paths if path is not Path.TERMINATING)
        yield replace(block, postures=mutual, paths=(Path.DIRECT, *through))


def asked_by(catalogue: Catalogue, areas: Collection[str], flows: Collection[str]) -> Catalogue:
    """*catalogue* with what it asks of a server, in *areas*, asked on one of *flows* that ends there.

    Our own lab asks a server once, on a flow of its choice; a target may have any other.
    """
    rows = (_moved(catalogue, row, flows) if row.area in areas else row for row in catalogue.requirements)
    return replace(catalogue, requirements=tuple(rows))


def _moved(catalogue: Catalogue, row: Requirement, flows: Collection[str]) -> Requirement:
    asked = {(flow, cell) for block in row.cells for flow in block.flows for cell in _grid(block)}
    added: list[Cells] = []
    for block in row.cells:
        for leading in _leading(catalogue, block, flows):
            for cell in _grid(block):
                if not any((flow, cell) in asked for flow in leading):
                    asked.add((leading[0], cell))
                    added.append(_one(block, leading[0], cell))
    return replace(row, cells=(*row.cells, *added))


_Cell = tuple[Posture, Path, str, str, str]


def _grid(block: Cells) -> Iterator[_Cell]:
    return product(block.postures, block.paths, block.certificates, block.tokens, block.transports)


def _leading(catalogue: Catalogue, block: Cells, flows: Collection[str]) -> Iterator[list[str]]:
    """For each server of *block*, which of *flows* end there; nothing where none does."""
    for server in dict.fromkeys(catalogue.flows[name].server.name for name in block.flows):
        if leading := [name for name in flows if catalogue.flows[name].server.name == server]:
            yield leading


def _one(block: Cells, flow: str, cell: _Cell) -> Cells:
    posture, path, certificate, token, transport = cell
    return replace(
        block,
        flows=(flow,),
        postures=(posture,),
        paths=(path,),
        certificates=(certificate,),
        tokens=(token,),
        transports=(transport,),
    )
