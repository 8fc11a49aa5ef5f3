"""A procedure as the embedded lab can carry it out: what is issued again, what restarts, what should not work then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A running part of the lab: the ``server`` of that name, or the client under test of the flow ``client_of``."""

    server: str = ""
    client_of: str = ""


@dataclass(frozen=True)
class LabStep:
    """One step: the secrets in ``renew`` are issued again, then ``restart`` restarts, then the clients of the flows in
    ``register`` are registered.  What is in ``other_ca`` restarts as in a namespace where another CA has replaced the
    copy.  ``down`` are the flows that the runbook's model says do not work afterwards."""

    title: str
    renew: tuple[str, ...] = ()
    restart: tuple[Part, ...] = ()
    register: tuple[str, ...] = ()
    other_ca: tuple[Part, ...] = ()
    down: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """Steps in an order, and what is to be learnt from it."""

    title: str
    steps: tuple[LabStep, ...]


@dataclass(frozen=True)
class Rehearsal:
    """The right order and the counter-examples, under the traffic of ``flows``, which run in the lab's ``variant``.

    ``not_shown`` is what the renewal touches besides, and the lab does not have."""

    title: str
    flows: tuple[str, ...]
    right: Order
    wrong: tuple[Order, ...]
    variant: str = ""
    not_shown: str = ""

    @property
    def orders(self) -> tuple[Order, ...]:
        """All of them, the right one first."""
        return (self.right, *self.wrong)
