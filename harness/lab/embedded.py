"""The embedded lab: reference subsystems in one child process, balancers in another, all on loopback.

Needs no Docker and no root.  Keys live in a private temporary folder that goes with the lab; one that a killed run left
behind goes at the next start.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.lab.plan import Instance
from harness.lab.reference import OwnLab, Site
from harness.lab.worker import Child, Worker
from harness.model.case import Setup
from harness.model.protocol import LOOPBACK
from harness.model.vocabulary import Path

_SUBSYSTEMS = "harness.subsystems"


class EmbeddedLab(OwnLab):
    """A :class:`harness.lab.protocol.Lab` on loopback: two sites, whatever runs in them."""

    balancer: Sequence[str] = ("mitm_addons.balancer",)
    """The module that opens the balancers' listeners, and its arguments.  Another one takes the same commands and tells
    the same records."""

    def _begin(self) -> None:
        # Both start at once: what they import takes longer than making the keys they wait for.
        self._all: dict[str, Site] = {}
        for module, *arguments in ((_SUBSYSTEMS, *self.product.subsystems), self.balancer):
            log = self.folder / f"{module}.log"
            child = Child(module, log, *arguments)
            self._all[module] = Site(module, Worker(module, child, self._mailbox.put, log))

    def _site_of(self, instance: Instance, setup: Setup) -> Site:
        return self._all[_SUBSYSTEMS]

    def _balancers(self, path: Path) -> Site:
        return self._all[self.balancer[0]]

    def _sites(self) -> Collection[Site]:
        return list(reversed(self._all.values()))

    def _seen(self, site: Site, other: Site) -> str:
        return LOOPBACK
