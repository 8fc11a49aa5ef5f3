"""What the code offers by name - checks, faults, stimulus classes - and the catalogue that is read against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from harness.catalogue import Catalogue, Known, load
from harness.checks import CHECKS
from harness.lab.balancers import BALANCER_FAULTS
from harness.model.case import GOOD
from harness.model.fault import Fault
from harness.probes.transports import TRANSPORTS
from harness.products.product import Product
from harness.products.registry import file_rules, profiles, reference
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.registry import Family, StimulusClass, StimulusClasses
from harness.stimuli.tokens import TOKEN_CLASSES
from harness.subsystems.registry import Registry

STIMULUS_CLASSES: StimulusClasses[StimulusClass[Any]] = StimulusClasses(
    *(row for table in (CERTIFICATE_CLASSES, TOKEN_CLASSES, TRANSPORTS) for row in table.values() if row.name != GOOD)
)
"""Every class that deviates, of all families: no two share a name, since a stimulus is written as the names alone."""


@cache
def _faults(product: Product) -> Mapping[str, Fault]:
    of_subsystems = {fault.name: fault for fault in Registry.of(product.subsystems).faults()}
    files = (rules for name, rules in file_rules().items() if name in product.name.split("+"))
    of_files = {name: fault for rules in files for name, (fault, _) in rules.faults.items()}
    return {**of_subsystems, **BALANCER_FAULTS, **of_files}


@cache
def _catalogue(product: Product) -> Catalogue:
    stimuli = {
        str(family): {name: row.summary for name, row in STIMULUS_CLASSES.items() if row.family is family}
        for family in Family
    }
    return load(product.suites, Known(CHECKS, _faults(product), stimuli, product.variants, product.title, profiles()))


def catalogue() -> Catalogue:
    """What is required of all products; raises :class:`harness.errors.CatalogueError` if it does not fit the code."""
    return _catalogue(reference())


class _Faults(Mapping[str, Fault]):
    """The faults that the products' reference subsystems and the balancers can have, by name."""

    def __getitem__(self, name: str) -> Fault:
        return _faults(reference())[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_faults(reference()))

    def __len__(self) -> int:
        return len(_faults(reference()))


FAULTS: Mapping[str, Fault] = _Faults()
