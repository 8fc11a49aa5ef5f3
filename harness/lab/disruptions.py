"""What a lab may have besides: an operator, who does to its servers what happens to servers in the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from harness.lab.protocol import Entrypoint, Lab
from harness.model.case import Setup
from harness.model.catalogue import Flow
from harness.model.observations import DrivenClient
from harness.model.script import Action
from harness.model.script_facts import Change


class Operator(Protocol):
    """Of a lab whose servers run apart, so that one can be stopped without the others."""

    def operate(self, setup: Setup, action: Action) -> Change | None:
        """Do *action* to what *setup* has to itself.

        pause, resume (hangs: takes connections and says nothing), stop, start (in order), kill (connections stay open),
        cut, mend (its way to the platform network), move (the server's jwksUrl is changed; it restarts if it must).
        Returns what a move did.  Raises :class:`harness.errors.LabError`.
        """

    def past_balancer(self, entrypoint: Entrypoint, flow: Flow, nonce: str) -> Sequence[DrivenClient]:
        """Have management try each address of the server behind *entrypoint*, without the balancer; its accounts."""


@runtime_checkable
class Operated(Protocol):
    """A lab that may have an operator."""

    operator: Operator | None


def operator_of(lab: Lab) -> Operator | None:
    """The operator of *lab*, if it has one."""
    return lab.operator if isinstance(lab, Operated) else None
