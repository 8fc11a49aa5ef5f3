"""The steps of a CA's renewal, each with the flows that do not work after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from harness.model.runbook import Step
from harness.products.apic.operations import trust_state as parts
from harness.products.apic.operations.commands import Kubectl
from harness.products.apic.operations.inventory import Inventory, Leaf, Site
from harness.products.apic.operations.trust_state import Trust
from harness.products.apic.rules.certificates import INGRESS_CA, MANAGEMENT_CA, OF_ISSUER
from harness.products.apic.rules.view import ANALYTICS, GATEWAY, MANAGEMENT, PORTAL

RENEWED_BEFORE = timedelta(days=30)
_PORTAL_CALLS = (
    "The portal's REST calls, with JWT also the one that fetches keys, trust the CA that these pods read at start."
)


class Steps:
    """The steps for the objects of *inventory*, in order."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory, self.view, self.row = inventory, inventory.view, inventory.row
        self.leaves = [leaf for leaf in inventory.leaves if not leaf.own and not legacy(leaf)]
        self.copies = inventory.copies
        self.sites = sorted({leaf.site for leaf in self.leaves} | {inventory.origin})
        self.kubectl = Kubectl.of(self.view, [*self.sites, *self.copies])
        self.issuer = next(name for name, held in OF_ISSUER.items() if held == self.row.name)
        self.trust = Trust(inventory.links)
        self.done = self._renewed_already()

    @property
    def is_ingress(self) -> bool:
        """Whether it is the CA of everything between subsystems."""
        return self.row.name == INGRESS_CA

    def _renewed_already(self) -> bool:
        """Whether certificates of a former key are all that is left to do."""
        current = self.inventory.current
        due = current is not None and current.certificate.not_valid_after_utc - RENEWED_BEFORE <= self.view.now
        return any(leaf.former for leaf in self.leaves) and not due

    def all_steps(self) -> tuple[Step, ...]:
        """All of them, each with what it changes."""
        found, before = [], frozenset[str]()
        for step in self._steps():
            down = frozenset(step.down)
            found.append(
                replace(
                    step,
                    breaks=tuple(sorted(down - before)),
                    restores=tuple(sorted(before - down)),
                    states=step.states and bool(self.trust.links),
                )
            )
            before = down
        return tuple(found)

    def _steps(self) -> Iterator[Step]:
        yield self._look()
        yield self._renew()
        if self.copies:
            yield self._copy()
        yield self._reissue()
        yield from self._restarts()
        yield self._verify()

    def _look(self) -> Step:
        site = self.inventory.origin
        commands = [self.kubectl.signer(site, self.inventory.name)]
        issuers = list(dict.fromkeys((self.issuer, *((self.row.short,) if self.issuer == self.row.name else ()))))
        commands += [self.kubectl.issued_by(each, issuers) for each in self.sites]
        return Step(
            "Check the current state",
            "Which CA signs which certificate today, for comparison afterwards. Add to step"
            f" {3 + bool(self.copies)} any secret that is listed here and not there.",
            tuple(commands),
            states=False,
            requirements=("PKI-19",),
        )

    def _renew(self) -> Step:
        site, name = self.inventory.origin, self.inventory.name
        if self.is_ingress:
            local = [parts.ANALYTICS_REST, parts.GATEWAY_REST]
            self.trust.trust(part for part in local if self._kind(part) in self._kinds_at(site))
        elif self.row.name == MANAGEMENT_CA:
            self.trust.trust((parts.ANALYTICS_REST, parts.GATEWAY_REST) if not self.copies else ())
        if self.done:
            return Step(
                f"{name} has been renewed already",
                "The files show certificates of its former key beside the present one. Do not renew it again."
                " What stops and works again below assumes that no pod has restarted since.",
                down=self.trust.down(),
                requirements=("PKI-11", "PKI-12"),
            )
        return Step(
            f"Renew {name} in {site.title}",
            "cert-manager issues it again, with a new key, once its secret is deleted. Certificates it signed stay"
            " valid for peers that still trust the former CA certificate.",
            (*self.kubectl.delete_secrets(site, [name]), *self.kubectl.wait(site, [name])),
            by_hand=self._management_ca_hands(),
            down=self.trust.down(),
            requirements=("PKI-11",),
        )

    def _management_ca_hands(self) -> tuple[str, ...]:
        if self.row.name != MANAGEMENT_CA:
            return ()
        if any(each.two_data_centres for each in self.view.of(MANAGEMENT)):
            return ("IBM's ManagementSecretRotation resource is not for two data centres; these steps are.",)
        return (
            "IBM's ManagementSecretRotation resource does this step and the next in one; use it instead if your"
            " release has it.",
        )

    def _kind(self, part: str) -> str:
        kinds = {parts.PORTAL_REST: PORTAL, parts.ANALYTICS_REST: ANALYTICS, parts.GATEWAY_REST: GATEWAY}
        return kinds[part]

    def _kinds_at(self, site: Site) -> set[str]:
        everywhere = list(self.view.of(PORTAL, ANALYTICS, GATEWAY))
        if not everywhere:
            return {PORTAL, ANALYTICS, GATEWAY}
        return {each.kind for each in everywhere if (each.cluster, each.namespace) == (site.cluster, site.namespace)}

    def _copy(self) -> Step:
        self.trust.trust((parts.ANALYTICS_REST, parts.GATEWAY_REST))
        name = self.inventory.name
        return Step(
            f"Copy {name} to {', '.join(site.title for site in self.copies)}",
            "Each subsystem outside management's namespace trusts its own copy, and its issuer signs with it. The copy"
            " carries the CA's private key: pipe it, and keep no file.",
            tuple(self.kubectl.copy(name, self.inventory.origin, site) for site in self.copies),
            down=self.trust.down(),
            requirements=("PKI-14",),
        )

    def _reissue(self) -> Step:
        self.trust.renew((parts.DIRECTOR, parts.GATEWAYS, parts.EVENT_GATEWAY, parts.PLATFORM))
        commands = []
        for site in self.sites:
            names = [leaf.name for leaf in self.leaves if leaf.site == site]
            commands += [*self.kubectl.delete_secrets(site, names), *self.kubectl.wait(site, names)]
        inside = (
            ""
            if self.is_ingress
            else f" {self.row.subsystem.capitalize()}'s pods cannot talk to each other until all have it."
        )
        return Step(
            f"Renew what {self.inventory.name} signed",
            "Servers whose pods restart by themselves present the new certificates from here on; management still"
            f" trusts the former CA.{inside}"
            if self.is_ingress
            else f"cert-manager issues each again.{inside}",
            tuple(commands),
            by_hand=() if commands else ("the files show none: delete each secret that step 1 lists",),
            down=self.trust.down(),
            requirements=("PKI-11", "PKI-12"),
        )

    def _restarts(self) -> Iterator[Step]:
        if self.is_ingress:
            yield from self._ingress_restarts()
            return
        hand = sorted(
            {pod for row in (self.row, *(leaf.row for leaf in self.leaves if leaf.row)) for pod in row.restart}
        )
        if hand:
            yield self._restart(hand, self.inventory.origin, "They keep the former certificates until they restart.")
        if self.row.name == MANAGEMENT_CA and self.trust.links:
            self.trust.trust((parts.PORTAL_REST,))
            for site in self._of(PORTAL):
                yield self._restart(["www"], site, _PORTAL_CALLS)

    def _ingress_restarts(self) -> Iterator[Step]:
        self.trust.renew((parts.MANAGEMENT, parts.SENDERS))
        for site in self._of(MANAGEMENT) or [self.inventory.origin]:
            yield self._restart(
                ["apim", "taskmanager", "analytics-proxy"],
                site,
                "Management works with the copies of ingress-ca and of its client certificates in its database, and"
                " reads them when apim starts. It sends the gateways their new client certificate; they need no restart"
                " for that.",
                "PKI-13",
                "PKI-17",
                "PKI-18",
            )
        if analytics := self._of(ANALYTICS):
            self.trust.renew((parts.INGESTION,))
            for site in analytics:
                yield self._restart(["mtls-gw"], site, "It presents the former certificate until it restarts.")
        if portals := self._of(PORTAL):
            self.trust.trust((parts.PORTAL_REST,))
            for site in portals:
                yield self._restart(["www"], site, _PORTAL_CALLS)
        peering = [leaf for leaf in self.leaves if leaf.row is not None and leaf.row.name == "gateway-peering"]
        if peering:
            yield Step(
                "Restart the gateways",
                "gateway-peering was issued again; gateways with the former and with the new one do not form a group.",
                by_hand=("restart the gateway pods of each cluster of gateways, in your maintenance window",),
                down=self.trust.down(),
                requirements=("PKI-13",),
            )

    def _of(self, kind: str) -> list[Site]:
        sites = sorted({Site(each.cluster, each.namespace) for each in self.view.of(kind)})
        nothing = not list(self.view.of(PORTAL, ANALYTICS, GATEWAY))
        return sites or ([self.inventory.origin] if nothing else [])

    def _restart(self, pods: Sequence[str], site: Site, why: str, *requirements: str) -> Step:
        return Step(
            f"Restart {', '.join(pods)} in {site.title}",
            why,
            (self.kubectl.restart(site, pods),),
            by_hand=("wait until the new pods are ready",),
            down=self.trust.down(),
            requirements=requirements or ("PKI-13",),
        )

    def _verify(self) -> Step:
        commands = [
            self.kubectl.signer(leaf.site, leaf.name) for leaf in self.leaves if leaf.row and leaf.row.use != ""
        ]
        return Step(
            "Verify",
            f"Each authority key identifier is the subject key identifier of the new {self.inventory.name}. Export the"
            " secrets again and run hopproof lint on them (PKI-11, PKI-14), and hopproof run against the endpoints.",
            (self.kubectl.signer(self.inventory.origin, self.inventory.name), *commands),
            down=self.trust.down(),
            requirements=("PKI-7", "PKI-11", "PKI-14"),
        )


def legacy(leaf: Leaf) -> bool:
    """Whether nothing uses it."""
    return leaf.row is not None and bool(leaf.row.legacy)
