"""Named small liars: each replaces one decision of a reference subsystem, so that the checks can be seen to fail."""

from harness.subsystems.faults import bypass, chains, forgeries, tokens
from harness.subsystems.faults.registry import FAULTS

__all__ = ["FAULTS", "bypass", "chains", "forgeries", "tokens"]
