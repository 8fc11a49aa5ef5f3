"""Where the parts of a reference lab run.

A *site* is a worker process and the address it is reached at.  A :class:`Placement` says which sites there are and what
each is given to read; what runs in them is the same everywhere (:mod:`harness.lab.instances`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Protocol

from harness.lab.plan import Instance
from harness.lab.worker import Mailbox, Worker
from harness.model.case import Setup
from harness.model.protocol import LOOPBACK
from harness.model.vocabulary import Path
from harness.pki.temporary import new_home, sweep


@dataclass(frozen=True)
class Site:
    """Where instances or listeners run: *worker* obeys, the harness reaches them at *address*, which they listen on."""

    name: str
    worker: Worker = field(compare=False)
    address: str = field(default=LOOPBACK, compare=False)


class Placement(Protocol):
    """Where the parts of a reference lab run.

    ``folder`` holds the deployment's files and the processes' logs; ``mailbox`` gets the records of all sites.
    Methods raise :class:`harness.errors.LabError`.
    """

    folder: FilePath
    mailbox: Mailbox

    def prepare(self, setups: Sequence[Setup]) -> None:
        """Bring up the sites that *setups* need, side by side."""

    def site_of(self, instance: Instance, setup: Setup) -> Site:
        """Where *instance* runs for *setup*; brought up if need be."""

    def balancers(self, path: Path) -> Site:
        """Where the balancers on *path* run."""

    def sites(self) -> Collection[Site]:
        """All sites there are."""

    def host_of(self, site: Site, seen_from: Site) -> str:
        """The name or address by which *seen_from* reaches *site*."""

    def deliver(self, site: Site, files: Collection[FilePath]) -> None:
        """See to it that *site* can read *files* and what it needs of the deployment folders."""

    def multi_homed(self, instance: Instance) -> Instance:
        """*instance*, or a replica of it, where servers can be reached without a balancer."""

    def replicas(self, name: str) -> Sequence[str]:
        """The names that *name*'s instance can run under."""

    def close(self) -> None:
        """End what runs and remove the folder; may be called twice."""


def private_home() -> FilePath:
    """A private folder for a new lab; what killed runs left behind goes first."""
    sweep()
    return new_home()
