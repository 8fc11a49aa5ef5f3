"""What the code offers by name - checks, faults, stimulus classes - and the catalogue that is read against it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from harness import paths
from harness.catalogue import Catalogue, Known, load
from harness.checks import CHECKS
from harness.lab.balancers import BALANCER_FAULTS
from harness.model.case import GOOD
from harness.model.fault import Fault
from harness.probes.transports import TRANSPORTS
from harness.products.apic.variants import VARIANTS
from harness.stimuli.certificates import CERTIFICATE_CLASSES
from harness.stimuli.tokens import TOKEN_CLASSES
from harness.subsystems.faults import known as subsystem_faults

FAULTS: Mapping[str, Fault] = {**{fault.name: fault for fault in subsystem_faults()}, **BALANCER_FAULTS}


@cache
def catalogue() -> Catalogue:
    """The product's catalogue; raises :class:`harness.errors.CatalogueError` if it does not fit the code."""
    stimuli = {
        "certificate": {name: row.summary for name, row in CERTIFICATE_CLASSES.items() if name != GOOD},
        "token": {name: row.summary for name, row in TOKEN_CLASSES.items() if name != GOOD},
        "transport": TRANSPORTS,
    }
    return load(paths.SUITES, Known(CHECKS, FAULTS, stimuli, VARIANTS))
