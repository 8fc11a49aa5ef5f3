"""The embedded lab: reference subsystems in one child process, balancers in another, all on loopback.

Needs no Docker and no root.  Keys live in a private temporary folder that goes with the lab; one that a killed run left
behind goes at the next start.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path as FilePath

from harness.errors import UsageError
from harness.lab.placement import Site, private_home
from harness.lab.plan import Instance
from harness.lab.reference import ReferenceLab
from harness.lab.worker import Child, Mailbox, Worker
from harness.model.case import Setup
from harness.model.catalogue import Flow, Server
from harness.model.fault import Fault
from harness.model.protocol import LOOPBACK
from harness.model.vocabulary import Path
from harness.products.product import Product

_SUBSYSTEMS = "harness.subsystems"
BALANCER = ("mitm_addons.balancer",)


class EmbeddedPlacement:
    """A :class:`harness.lab.placement.Placement` on loopback: two sites, whatever runs in them.

    *subsystems* are the arguments of the subsystems' process.  *balancer* is the module that opens the balancers'
    listeners, and its arguments; another one takes the same commands and writes the same records.
    """

    def __init__(self, subsystems: Sequence[str], balancer: Sequence[str] = BALANCER) -> None:
        self.folder, self.mailbox = private_home(), Mailbox()
        self._sites: dict[str, Site] = {}
        self._balancer = balancer[0]
        try:
            # Both start at once: what they import takes longer than making the keys they wait for.
            for module, *arguments in ((_SUBSYSTEMS, *subsystems), balancer):
                log = self.folder / f"{module}.log"
                worker = Worker(module, Child(module, log, *arguments), self.mailbox.put, log)
                self._sites[module] = Site(module, worker)
        except BaseException:
            self.close()
            raise

    def prepare(self, setups: Sequence[Setup]) -> None:
        """See :class:`Placement`; both sites are there from the start."""

    def site_of(self, instance: Instance, setup: Setup) -> Site:
        """See :class:`harness.lab.placement.Placement`."""
        return self._sites[_SUBSYSTEMS]

    def balancers(self, path: Path) -> Site:
        """See :class:`harness.lab.placement.Placement`."""
        return self._sites[self._balancer]

    def sites(self) -> Collection[Site]:
        """See :class:`harness.lab.placement.Placement`."""
        return list(reversed(self._sites.values()))

    def host_of(self, site: Site, seen_from: Site) -> str:
        """See :class:`harness.lab.placement.Placement`."""
        return LOOPBACK

    def deliver(self, site: Site, files: Collection[FilePath]) -> None:
        """See :class:`harness.lab.placement.Placement`; both processes read the lab's own folder."""

    def multi_homed(self, instance: Instance) -> Instance:
        """See :class:`harness.lab.placement.Placement`; on loopback everybody reaches everybody."""
        return instance

    def replicas(self, name: str) -> Sequence[str]:
        """See :class:`harness.lab.placement.Placement`."""
        return (name,)

    def close(self) -> None:
        """See :class:`harness.lab.placement.Placement`."""
        for site in self.sites():
            site.worker.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def embedded_lab(
    product: Product,
    servers: Mapping[str, Server],
    flows: Mapping[str, Flow],
    faults: Mapping[str, Fault],
    balancer: Sequence[str] = BALANCER,
) -> ReferenceLab:
    """A reference lab on loopback; the arguments are :class:`ReferenceLab`'s and :class:`EmbeddedPlacement`'s.

    Raises UsageError where a package is missing that its servers need.
    """
    for package in product.packages:
        if importlib.util.find_spec(package) is None:
            raise UsageError(
                f"the package {package}, which the reference servers need, is not installed",
                hint=f"pip install {package}, or install Hopproof again with its dependencies",
            )
    return ReferenceLab(product, servers, flows, faults, EmbeddedPlacement(product.subsystems, balancer))
