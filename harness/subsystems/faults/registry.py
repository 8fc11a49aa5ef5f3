"""The register of faults: a name, which kinds of server can have it, and how it changes their policy."""

from __future__ import annotations

from collections.abc import Callable

from harness.model.fault import Fault
from harness.subsystems.server.policy import ServerPolicy

Change = Callable[[ServerPolicy], ServerPolicy]

FAULTS: dict[str, tuple[Fault, Change]] = {}


def fault(name: str, *, on: tuple[str, ...], implies: tuple[str, ...] = ()) -> Callable[[Change], Change]:
    """Register the decorated function as the fault *name*; its area is its module, its summary its docstring.

    *on* are names or traits of kinds (:attr:`harness.subsystems.server.kind.Kind.offers`).
    """

    def register(change: Change) -> Change:
        summary = (change.__doc__ or "").strip()
        if name in FAULTS or not summary or "\n" in summary:
            raise ValueError(f"the fault {name!r} is there already or has no one-line docstring")
        FAULTS[name] = (Fault(name, change.__module__.rpartition(".")[2], on, summary, implies), change)
        return change

    return register
