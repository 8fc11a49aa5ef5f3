"""The renewal of ingress-ca on virtual appliances (VMware), with apicup.

Source: Certificate expiry and renewal (10.0.8).  ingress-ca is a common certificate there: it is cleared once for all
subsystems of the project directory.  What apicup calls each ingress certificate is read from ``apicup certs list``.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import UsageError
from harness.model.runbook import Command, Runbook, Step, Variable, Word
from harness.products.apic.operations.inventory import Inventory
from harness.products.apic.operations.trust_state import Trust
from harness.products.apic.rules.certificates import INGRESS_CA
from harness.products.apic.rules.view import ANALYTICS, MANAGEMENT, PORTAL

USER_FACING = ("platform-api", "consumer-api", "api-manager-ui", "cloud-admin-ui")


def subsystem_name(inventory: Inventory, kind: str) -> Word:
    """What apicup calls the subsystem: the files' name, or a variable."""
    found = next((each.instance for each in inventory.view.of(kind)), "")
    return found or Variable(kind.upper(), f"what apicup calls the {kind} subsystem")


def renewal(inventory: Inventory, heading: str, remarks: Sequence[str]) -> Runbook:
    """The runbook; raises :class:`UsageError` for a CA that apicup does not renew."""
    if inventory.row.name != INGRESS_CA:
        raise UsageError(
            f"{inventory.row.name} is renewed automatically on virtual appliances",
            hint="hopproof renew ingress-ca PATH... --platform vmware",
        )
    management = subsystem_name(inventory, MANAGEMENT)
    all_three = [management, *(subsystem_name(inventory, kind) for kind in (PORTAL, ANALYTICS))]
    everything = tuple(dict.fromkeys(link.flow for link in inventory.links))
    trust = Trust(inventory.links)
    steps = (
        Step(
            "Check the current state",
            "apicup lists the certificates of each subsystem, and in the column Validation errors what is due. Run it"
            " in the project directory.",
            tuple(Command.of("apicup", "certs", "list", name) for name in all_three),
            states=False,
        ),
        Step(
            "Clear ingress-ca and generate it again",
            "It is a common certificate: cleared for one subsystem, it is cleared for all of this project directory."
            " Nothing changes on the appliances yet. root-ca stays as it is.",
            (
                Command.of("apicup", "certs", "set", "--clear", management, INGRESS_CA),
                Command.of("apicup", "certs", "generate", management),
            ),
            down=trust.down(),
            requirements=("PKI-11",),
        ),
        Step(
            "Clear the certificates that ingress-ca signed",
            "The cleared certificates are generated again in the next step. Nothing changes on the appliances yet.",
            tuple(Command.of("apicup", "certs", "set", "--clear", management, name) for name in USER_FACING),
            by_hand=(
                "clear every other ingress certificate in the lists of step 1 in the same way; leave out your own",
            ),
            down=trust.down(),
            requirements=("PKI-11",),
        ),
        Step(
            "Generate the cleared certificates",
            "generate fills in whatever is empty, under the new ingress-ca.",
            tuple(Command.of("apicup", "certs", "generate", name) for name in all_three),
            down=trust.down(),
            requirements=("PKI-11",),
        ),
        Step(
            "Install on the appliances, management last",
            "Each picks up the new certificates with this. Until the last is done, appliances with new and with former"
            " certificates refuse each other.",
            tuple(Command.of("apicup", "subsys", "install", name) for name in (*all_three[1:], management)),
            by_hand=(
                "update the gateways as DataPower's documentation says, where they use certificates of ingress-ca",
                "in two data centres, synchronize ingress-ca to the other project directory and do the same there",
            ),
            breaks=everything,
            restores=everything,
            requirements=("PKI-11", "PKI-14"),
        ),
        Step(
            "Verify",
            "No validation error is left. Run hopproof run against the endpoints.",
            tuple(Command.of("apicup", "certs", "list", name) for name in all_three),
            requirements=("PKI-11",),
        ),
    )
    return Runbook(
        "Renewing ingress-ca on virtual appliances",
        heading,
        tuple(remarks),
        steps=steps,
        closing=("Nothing has been executed.",),
    )
