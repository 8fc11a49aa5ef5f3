"""The renewal of a CA as a runbook for the objects in the user's files.

Source: API Connect TLS certificates (overview, renewing certificates, tables 1 to 5); for virtual appliances,
Certificate expiry and renewal (10.0.8).  The order is what keeps the time short in which flows do not work: everything
that is renewed first, then management's pods, which only then know the new CA, then the pods that do not restart by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.errors import UsageError
from harness.model.runbook import Runbook, Table
from harness.products.apic.operations import appliance
from harness.products.apic.operations.authority import authority
from harness.products.apic.operations.inventory import COPIED, Inventory, Leaf
from harness.products.apic.operations.renewal_steps import RENEWED_BEFORE, Steps, legacy
from harness.products.apic.rules.certificates import INGRESS_CA, MANAGEMENT_CA, Row
from harness.products.apic.rules.view import ANALYTICS, DEVPORTAL, EVENTS, GATEWAY, MANAGEMENT, PORTAL, View

_SUBSYSTEMS = (MANAGEMENT, PORTAL, DEVPORTAL, ANALYTICS, GATEWAY, EVENTS)
_LEAVES_FIRST = (
    "End-entity certificates first, then the CA",
    "the former CA signs them once more; all of them have to be renewed again",
)
_AUTOMATIC = "This is what cert-manager's automatic renewal leads to"
_CA_ALONE = {
    INGRESS_CA: (
        "The CA and apim's pods first, the end-entity certificates later",
        "management trusts the new CA alone and presents certificates of the former one: everything that it initiates"
        f" is down until the last certificate is renewed. {_AUTOMATIC} at the next restart of apim",
    ),
    MANAGEMENT_CA: (
        "The CA first, the end-entity certificates at some later time",
        "subsystems that call management in-cluster trust the new CA alone, and management presents a certificate of"
        f" the former one: their calls are down until it is renewed. {_AUTOMATIC}",
    ),
}
_INSIDE_ALONE = (
    "The CA first, the end-entity certificates at some later time",
    f"pods that restart in between have the new CA and certificates of the former one. {_AUTOMATIC}",
)


def wrong_orders(authority: Row) -> tuple[tuple[str, str], ...]:
    """What not to do with the CA *authority*, and what comes of it."""
    found = (_LEAVES_FIRST, _CA_ALONE.get(authority.name, _INSIDE_ALONE))
    if authority.name not in COPIED:
        return found
    copied = (
        f"A Certificate object for {authority.name} where the secret is a copy",
        "cert-manager replaces the copy with another CA, which the other subsystems do not trust",
    )
    return (*found, copied)


def runbook(view: View, name: str, heading: str, remarks: Sequence[str]) -> Runbook:
    """How to renew the CA *name*."""
    inventory = Inventory(view, authority(name, view.instances))
    if not (inventory.known or inventory.leaves or view.tops or list(view.of(*_SUBSYSTEMS))):
        raise UsageError(
            f"nothing in the files has to do with {name}",
            hint="give the deployment's custom resources, Secrets and Certificate objects (kubectl get -o yaml)",
        )
    if view.platform == "vmware":
        return appliance.renewal(inventory, heading, remarks)
    return _Book(inventory).runbook(heading, remarks)


class _Book:
    def __init__(self, inventory: Inventory) -> None:
        self.all, self.steps = inventory, Steps(inventory)

    def runbook(self, heading: str, remarks: Sequence[str]) -> Runbook:
        """All of it."""
        steps = self.steps.all_steps()
        return Runbook(
            title=f"Renewing {self.all.name}",
            heading=heading,
            remarks=(*remarks, *self._remarks()),
            before=(self._objects(),),
            steps=steps,
            after=(Table("Wrong orders", ("order", "what it does"), wrong_orders(self.all.row)),),
            closing=("Nothing has been executed. During the renewal flows fail closed: none becomes open.",),
        )

    def _remarks(self) -> Iterator[str]:
        current = self.all.current
        if current is None:
            yield f"{self.all.name} itself is not in the files: whether it is due, and what it signed, is not known."
        else:
            end = current.certificate.not_valid_after_utc
            day = end - RENEWED_BEFORE
            yield (
                f"{self.all.name} ends on {end:%Y-%m-%d}. cert-manager renews it on {day:%Y-%m-%d}, and not what it"
                " signed."
            )
        former = [leaf.name for leaf in self.steps.leaves if leaf.former]
        if former:
            yield (f"A former key of {self.all.name} signed {', '.join(former)}: the CA has been renewed since.")
        yield from self._policy()
        for each in self.all.view.of(DEVPORTAL) if self.steps.is_ingress else ():
            yield (
                f"{each.title}: which of its pods take renewed certificates without a restart is not documented. Try"
                " management-to-developer-portal after the last step; where it does not work, restart its pods."
            )
        if not self.steps.is_ingress or not self.steps.trust.links:
            return
        if not list(self.all.view.of(PORTAL, ANALYTICS, GATEWAY)):
            yield "No subsystem is in the files; the flows named below are those of a default installation."

    def _policy(self) -> Iterator[str]:
        for each in self.all.requests:
            assert each.resource is not None
            policy = each.resource.root.text("spec", "privateKey", "rotationPolicy")
            if policy == "Never":
                yield (
                    f"{each.resource.label} keeps its key when cert-manager renews it (rotationPolicy: Never), so that"
                    " such a renewal orphans nothing; deleting the secret still creates a new key."
                )

    def _objects(self) -> Table:
        several = len({*self.steps.sites, *self.steps.copies}) > 1
        rows = [
            (
                f"{each.name} ({each.site.title})" if several else each.name,
                each.row.purpose if each.row else "not in the documents' tables",
                _fate(each),
            )
            for each in self.all.leaves
        ]
        head = (self.all.name, self.all.row.purpose, "renewed already" if self.steps.done else "renew")
        copies = [(f"{self.all.name} ({site.title})", "a copy", "copy again") for site in self.steps.copies]
        return Table(
            f"What this is about: {self.all.name} and the {len(rows)} secrets under it that the files show",
            ("secret", "for", "what to do"),
            (head, *copies, *rows),
            "Secrets that the files do not show are found by the commands in step 1.",
        )


def _fate(leaf: Leaf) -> str:
    if leaf.own:
        return "nothing: an issuer of your own issues it; check which CA its peers trust"
    if legacy(leaf):
        return "nothing: legacy"
    return "renew; a former key of the CA signed it" if leaf.former else "renew"
