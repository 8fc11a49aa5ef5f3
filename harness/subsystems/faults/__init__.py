"""Named small liars: each replaces one decision of a reference subsystem, so that the checks can be seen to fail."""

from harness.model.fault import Fault
from harness.subsystems.faults import bypass, chains, flows, forgeries, tokens
from harness.subsystems.faults.registry import FAULTS, rules_with

__all__ = ["FAULTS", "bypass", "chains", "flows", "forgeries", "known", "rules_with", "tokens"]


def known() -> tuple[Fault, ...]:
    """All faults of the subsystems, by name."""
    return tuple(FAULTS[name][0] for name in sorted(FAULTS))
