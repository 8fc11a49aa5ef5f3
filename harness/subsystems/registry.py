"""The kinds of subsystem that given modules offer, and the faults that each kind can have.

A module of kinds has ``KINDS``, a tuple of :class:`harness.subsystems.server.kind.Kind`; importing it registers the
faults of its own.  Generic faults are on traits, not on names, so a new kind has those that apply to it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import UsageError
from harness.model.fault import Fault
from harness.subsystems.faults import FAULTS
from harness.subsystems.server.kind import Kind
from harness.subsystems.server.policy import ServerPolicy


@dataclass(frozen=True)
class Registry:
    """Kinds by name."""

    kinds: Mapping[str, Kind]

    @classmethod
    def of(cls, modules: Iterable[str]) -> Registry:
        """What *modules* offer; raises UsageError for one that offers nothing, or a name that is taken."""
        kinds: dict[str, Kind] = {}
        for module in modules:
            found: Sequence[Kind] = getattr(importlib.import_module(module), "KINDS", ())
            if not found:
                raise UsageError(f"the module {module} offers no kind of subsystem (KINDS)")
            for kind in found:
                if kind.name in kinds:
                    raise UsageError(f"two modules offer a kind called {kind.name!r}", where=module)
                kinds[kind.name] = kind
        return cls(kinds)

    def kind(self, name: str) -> Kind:
        """The kind called *name*; raises UsageError for an unknown one."""
        if name not in self.kinds:
            raise UsageError(f"unknown kind {name!r}; known: {', '.join(self.kinds)}")
        return self.kinds[name]

    def faults(self) -> tuple[Fault, ...]:
        """All faults that some kind here can have, by name; ``on`` are the names of those kinds."""
        resolved = (
            replace(fault, on=tuple(kind.name for kind in self.kinds.values() if kind.offers & set(fault.on)))
            for fault, _ in (FAULTS[name] for name in sorted(FAULTS))
        )
        return tuple(fault for fault in resolved if fault.on)

    def policy_with(self, names: Sequence[str], kind: Kind) -> ServerPolicy:
        """The policy of *kind* with the faults *names*, in order; raises UsageError for one it cannot have."""
        policy = kind.policy()
        for name in names:
            if name not in FAULTS:
                raise UsageError(f"unknown fault {name!r}", hint="hopproof list faults")
            fault, change = FAULTS[name]
            if not kind.offers & set(fault.on):
                raise UsageError(f"the fault {name!r} is for {', '.join(fault.on)}, not for {kind.name}")
            policy = change(policy)
        return policy
