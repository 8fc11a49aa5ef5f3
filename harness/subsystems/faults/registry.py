"""The register of faults: a name, which servers can have it, and how it changes their rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.errors import UsageError
from harness.model.fault import Fault
from harness.subsystems.server.policy import ServerPolicy

Change = Callable[[ServerPolicy], ServerPolicy]

FAULTS: dict[str, tuple[Fault, Change]] = {}


def fault(name: str, *, on: tuple[str, ...], implies: tuple[str, ...] = ()) -> Callable[[Change], Change]:
    """Register the decorated function as the fault *name*; its area is its module, its summary its docstring."""

    def register(change: Change) -> Change:
        summary = (change.__doc__ or "").strip()
        if name in FAULTS or not summary or "\n" in summary:
            raise ValueError(f"the fault {name!r} is there already or has no one-line docstring")
        FAULTS[name] = (Fault(name, change.__module__.rpartition(".")[2], on, summary, implies), change)
        return change

    return register


def rules_with(names: Sequence[str], kind: str) -> ServerPolicy:
    """The rules of a server of *kind* with the faults *names*, in order; raises UsageError for one it cannot have."""
    rules = ServerPolicy()
    for name in names:
        if name not in FAULTS:
            raise UsageError(f"unknown fault {name!r}", hint="hopproof list faults")
        known, change = FAULTS[name]
        if kind not in known.on:
            raise UsageError(f"the fault {name!r} is for {', '.join(known.on)}, not for {kind}")
        rules = change(rules)
    return rules
