"""The same cases over more paths than the catalogue names, for balancers that are not the built-in one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from harness.catalogue.loader import Catalogue
from harness.model.catalogue import Cells, Requirement
from harness.model.vocabulary import Path

# What a case over another path is about: its own server, started and driven in a way of its own.
_OWN = frozenset({"steps", "variant"})


def widened(catalogue: Catalogue, ways: Mapping[str, Collection[Path]]) -> Catalogue:
    """*catalogue* with what it has on the direct path alone, in each area of *ways*, over those paths as well."""
    return replace(
        catalogue, requirements=tuple(_row(row, tuple(ways.get(row.area, ()))) for row in catalogue.requirements)
    )


def _row(row: Requirement, paths: tuple[Path, ...]) -> Requirement:
    return replace(row, cells=tuple(_block(block, paths) for block in row.cells))


def _block(block: Cells, paths: tuple[Path, ...]) -> Cells:
    alone = block.paths == (Path.DIRECT,) and not _OWN & set(block.params)
    return replace(block, paths=(Path.DIRECT, *paths)) if alone else block
