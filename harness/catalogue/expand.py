"""Requirement -> cases: the product of each block of cells, and what is withheld from this target with its reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import product

from harness.catalogue.loader import Catalogue
from harness.errors import CatalogueError
from harness.model.case import CAPTURE, EXPORTED, LOADED, Case, Stimulus, Withheld, exports_of
from harness.model.catalogue import Cells, Requirement


def expand(catalogue: Catalogue, features: Collection[str]) -> tuple[tuple[Case, ...], tuple[Withheld, ...]]:
    """All cases of *catalogue*, in its order, and those that do not apply to a target with *features*.

    Raises :class:`CatalogueError` where two blocks make the same case.
    """
    cases: dict[str, Case] = {}
    withheld: dict[str, Withheld] = {}
    for row in catalogue.requirements:
        for case in _of(catalogue, row):
            # Files can be judged whatever the servers have.
            needed = () if case.reads_files else (*row.needs, *case.flow.needed(case.posture))
            missing = [feature for feature in dict.fromkeys(needed) if feature not in features]
            reason = _lacks(missing) or _impossible(case)
            if case.id in cases or case.id in withheld:
                raise CatalogueError(f"two blocks produce the case {case.id}", where=row.id)
            if reason:
                withheld[case.id] = Withheld(case, reason)
            else:
                cases[case.id] = case
    return tuple(cases.values()), tuple(withheld.values())


def _of(catalogue: Catalogue, row: Requirement) -> Iterator[Case]:
    for block in row.cells:
        yield from _block(catalogue, row, block)


def _block(catalogue: Catalogue, row: Requirement, block: Cells) -> Iterator[Case]:
    if block.exports:
        stimulus = Stimulus(transport=EXPORTED)
        flow, (posture,), (path,) = exports_of(block.exports), block.postures, block.paths
        yield Case(row, flow, posture, path, stimulus, block.expect, block.depth, block.params)
        return
    grid = product(block.flows, block.postures, block.paths, block.certificates, block.tokens, block.transports)
    for name, posture, path, certificate, token, transport in grid:
        stimulus = Stimulus(certificate, token, transport)
        yield Case(row, catalogue.flows[name], posture, path, stimulus, block.expect, block.depth, block.params)


_GIVEN = {
    CAPTURE: "it is judged from captured packets: run with --capture",
    LOADED: "it is judged from the record of a load: make one with hopproof load, and give it with run --load FILE",
}
"""What not a target has, but a run is given."""


def _lacks(missing: Sequence[str]) -> str:
    """Why a case that needs *missing* does not apply; '' where nothing is missing."""
    if len(missing) == 1 and missing[0] in _GIVEN:
        return _GIVEN[missing[0]]
    return f"the target does not have {', '.join(missing)}" if missing else ""


def _impossible(case: Case) -> str:
    """Why there is no such case at any target; '' if there is."""
    server = case.flow.server
    return "" if case.posture in server.postures else f"the {server.endpoint} has no posture {case.posture}"
